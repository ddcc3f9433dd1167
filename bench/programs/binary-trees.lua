-- Many small tables that live and die: trees are grown and counted.
local quick = ...
local depth = quick and 6 or 15

local function grow(d)
	return d == 0 and {} or {grow(d - 1), grow(d - 1)}
end

local function count(tree)
	return tree[1] and 1 + count(tree[1]) + count(tree[2]) or 1
end

local out, long = {}, grow(depth)
for d = 4, depth, 2 do
	local trees, nodes = 1 << (depth - d + 4), 0
	for _ = 1, trees do nodes = nodes + count(grow(d)) end
	out[#out + 1] = ("%d trees of depth %d: %d"):format(trees, d, nodes)
end
out[#out + 1] = ("the long-lived one: %d"):format(count(long))
return table.concat(out, "\n")
