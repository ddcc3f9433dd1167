-- Integers in arrays: how often a permutation's beginning must be reversed until 1 comes first.
local quick = ...
local n = quick and 6 or 10
local p, q, turns = {}, {}, {}
local most, sum, sign, r = 0, 0, 1, n + 1
for i = 1, n do p[i] = i end

local function flips()
	local first, count = p[1], 0
	if first == 1 then return 0 end
	for i = 2, n do q[i] = p[i] end
	repeat
		local next = q[first]
		q[first] = first
		local i, j = 2, first - 1
		while i < j do
			q[i], q[j] = q[j], q[i]
			i, j = i + 1, j - 1
		end
		first, count = next, count + 1
	until first == 1
	return count
end

while true do
	for i = r - 1, 2, -1 do turns[i] = i end
	r = 2
	local count = flips()
	most = math.max(most, count)
	sum, sign = sum + sign * count, -sign
	while true do -- the next permutation: turn ever longer beginnings
		if r > n then return ("%d %d"):format(sum, most) end
		local first = p[1]
		for i = 1, r - 1 do p[i] = p[i + 1] end
		p[r] = first
		turns[r] = turns[r] - 1
		if turns[r] > 0 then break end
		r = r + 1
	end
end
