# SPDX-License-Identifier: MIT
# Plants faults: copies sources with the faults that a test's comment lists, each to be switched on by itself.
#
#	awk -f plant.awk x_explore_test.c source.c...
#
# A fault is a line " * FAULT name: what is wrong" followed by " * - text" and " * + text" lines: what the
# source has, at exactly one place, and what takes its place. Statements, each line a whole one of the
# source, become { if (fault == name) wrong else right }; a part of one line that does not end in ; or }
# becomes (fault == name ? wrong : right). One without such lines is in the test's own code. The names become an enum and a table. Other text in the comment is
# left alone.

function die(what) {
	print "plant.awk: " what > "/dev/stderr"
	failed = 1
	exit 1
}

function trim(text) {
	gsub(/^[ \t]+|[ \t]+$/, "", text)
	return text
}

# The test: collects the faults.
FNR == NR {
	if ($0 ~ /^ \* FAULT [a-z_]+: /) {
		count++
		name[count] = toupper($3)
		sub(/:$/, "", name[count])
		text = $0
		sub(/^ \* FAULT [a-z_]+: /, "", text)
		meaning[count] = text
	} else if ($0 ~ /^ \* - /) {
		old[count, ++olds[count]] = trim(substr($0, 6))
	} else if ($0 ~ /^ \* \+ /) {
		wrong[count] = wrong[count] (wrong[count] == "" ? "" : "\n") trim(substr($0, 6))
	}
	next
}

# What is asserted is checked by the explorer.
/^#include <assert.h>/ { $0 = "" }

# The sources: one after the other, lines numbered from 1 over all.
{
	line[++lines] = $0
	file[lines] = FILENAME
	number[lines] = FNR
}

function is_at(fault, at, i) {
	for (i = 1; i <= olds[fault]; i++)
		if (trim(line[at + i - 1]) != old[fault, i])
			return 0
	return 1
}

function plant_statements(fault, at) {
	line[at] = "{ if (fault == " name[fault] ") {\n" wrong[fault] "\n} else {\n" line[at]
	line[at + olds[fault] - 1] = line[at + olds[fault] - 1] "\n} }"
}

function plant_part(fault, at, start, right) {
	right = old[fault, 1]
	start = index(line[at], right)
	if (index(substr(line[at], start + 1), right))
		die(name[fault] ": twice in one line: " right)
	line[at] = substr(line[at], 1, start - 1) "(fault == " name[fault] " ? (" wrong[fault] ") : (" right "))" \
		substr(line[at], start + length(right))
}

function plant(fault, at, part, found, place) {
	part = olds[fault] == 1 && old[fault, 1] !~ /[;}]$/
	for (at = 1; at <= lines; at++)
		if (part ? index(line[at], old[fault, 1]) : is_at(fault, at)) {
			found++
			place = at
		}
	if (olds[fault] == 0)
		return
	if (found != 1)
		die(name[fault] ": found " found + 0 " times: " old[fault, 1])
	if (part)
		plant_part(fault, place)
	else
		plant_statements(fault, place)
}

END {
	if (failed)
		exit 1
	for (i = 1; i <= count; i++)
		plant(i)
	print "/* Made by plant.awk. */"
	print "enum { NO_FAULT"
	for (i = 1; i <= count; i++)
		print ", " name[i]
	print ", FAULTS };\nstatic const char *const fault_meanings[FAULTS] = {\"none\""
	for (i = 1; i <= count; i++)
		print ", \"" tolower(name[i]) ": " meaning[i] "\""
	print "};\nstatic int fault;"
	for (i = 1; i <= lines; i++) {
		if (number[i] == 1)
			print "#line 1 \"" file[i] "\""
		print line[i]
	}
}
