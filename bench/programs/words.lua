-- Strings: a text is made, taken apart by patterns, and its words are counted and sorted.
local quick = ...
local size = quick and 1000 or 400000
local state = 1

local function draw(n)
	state = (state * 1664525 + 1013904223) & 0xffffffff
	return (state >> 8) % n + 1
end

local syllables, text = {"ka", "lo", "mi", "ren", "ta", "su", "vor", "e", "nin", "po"}, {}
for i = 1, size do
	local word = {}
	for k = 1, draw(3) do word[k] = syllables[draw(#syllables)] end
	text[i] = table.concat(word)
end
text = table.concat(text, " ")

local counts, list = {}, {}
for word in text:gmatch("%a+") do counts[word] = (counts[word] or 0) + 1 end
for word, count in pairs(counts) do list[#list + 1] = ("%s %d"):format(word:upper(), count) end
table.sort(list)
local _, vowels = text:gsub("[aeiou]", "%0%0")
return vowels .. "\n" .. table.concat(list, "\n")
