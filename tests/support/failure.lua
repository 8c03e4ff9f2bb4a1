-- SPDX-License-Identifier: MIT
-- failure(pattern, code, ...): ... are the results of a function that has failed in an expected way: nil, a
-- message with that text or pattern, and that code.

return function(pattern, code, ...)
  local value, message, name = ...
  if value ~= nil then error("expected a failure, got " .. tostring(value), 2) end
  if name ~= code then
    error(("expected %s, got %s (%s)"):format(tostring(code), tostring(name), tostring(message)), 2)
  end
  if not (message:find(pattern, 1, true) or message:find(pattern)) then
    error(("expected a message with %q, got %q"):format(pattern, message), 2)
  end
end
