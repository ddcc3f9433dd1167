-- Floating-point numbers in fields: bodies that attract each other.
local quick = ...
local steps = quick and 100 or 300000
local bodies = {}
for i = 1, 5 do
	local far = 3 * i * i
	bodies[i] = {x = far, y = i / 7, z = -i / 11, vx = -0.01 * i, vy = i == 1 and 0 or (40 / far) ^ 0.5, vz = 0.002 * i,
		mass = i == 1 and 40 or 0.01 * i}
end

local function advance(dt)
	for i, a in ipairs(bodies) do
		for j = i + 1, #bodies do
			local b = bodies[j]
			local dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
			local square = dx * dx + dy * dy + dz * dz
			local pull = dt / (square * square ^ 0.5)
			a.vx, a.vy, a.vz = a.vx - dx * b.mass * pull, a.vy - dy * b.mass * pull, a.vz - dz * b.mass * pull
			b.vx, b.vy, b.vz = b.vx + dx * a.mass * pull, b.vy + dy * a.mass * pull, b.vz + dz * a.mass * pull
		end
	end
	for _, a in ipairs(bodies) do
		a.x, a.y, a.z = a.x + dt * a.vx, a.y + dt * a.vy, a.z + dt * a.vz
	end
end

for _ = 1, steps do advance(0.001) end
local out = {}
for i, a in ipairs(bodies) do out[i] = ("%.17g %.17g %.17g"):format(a.x, a.y, a.z) end
return table.concat(out, "\n")
