-- SPDX-License-Identifier: MIT
-- The message handler of functions that call the program's own and pass its errors on: a message
-- gets its traceback while there is one, another error object stays what it is.

local traceback = debug.traceback

return function(err)
  if type(err) == "string" then return traceback(err, 2) end
  return err
end
