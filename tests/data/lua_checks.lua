-- What Lua does with errors, coroutines, strings, tables, numbers, files and the collector. Its output is the
-- same on every machine: tests/integration/programs.py compares a cell's with the host's.

local function show(...) print(select("#", ...), ...) end

-- errors: longjmp out of any depth, with any value, through coroutines and C functions
show(pcall(error, "plain"))
show(pcall(error, "at a place", 2))
show(pcall(error, nil))
show(pcall(function() local t = nil; return t.field end))
show(pcall(function() return 1 + {} end))
show(pcall(string.rep, "x", -1))
show(pcall(string.rep))
show(xpcall(function() error({code = 7}) end, function(e) return e.code end))
show(pcall(pcall, error, "nested"))
local function deep(n) if n == 0 then error("from the depth", 0) end deep(n - 1) return n end
show(pcall(deep, 1000))
local ok, message = pcall(function() local function f() return 1 + f() end return f() end)
show(ok, message:match("stack overflow"))
show(pcall(string.gsub, "abc", "%w", function(c) if c == "b" then error("in a callback", 0) end end))
show(pcall(table.sort, {3, 1, 2, 5, 4}, function() error("in sort", 0) end))
show(load("x ="))
show(load("return 1 +* 2", "=chunk"))
do
	local log = {}
	local ok, why = pcall(function()
		local a <close> = setmetatable({}, {__close = function(_, e) log[#log + 1] = "a:" .. tostring(e) end})
		local b <close> = setmetatable({}, {__close = function(_, e) log[#log + 1] = "b:" .. tostring(e) end})
		error("closing", 0)
	end)
	show(ok, why, table.concat(log, " "))
end

-- coroutines: yields across pcall, errors inside, wrapped iterators, ten thousand at once
local co = coroutine.create(function(a)
	local ok, why = pcall(function()
		local b = coroutine.yield(a + 1)
		error("after " .. b, 0)
	end)
	coroutine.yield(ok, why)
	error("the end", 0)
end)
show(coroutine.resume(co, 1)) show(coroutine.resume(co, "yield")) show(coroutine.resume(co))
show(coroutine.resume(co)) show(coroutine.status(co), coroutine.close(co))
local function permutations(a, n)
	if n == 0 then coroutine.yield(a) return end
	for i = 1, n do
		a[n], a[i] = a[i], a[n]
		permutations(a, n - 1)
		a[n], a[i] = a[i], a[n]
	end
end
local out = {}
for p in coroutine.wrap(function() permutations({1, 2, 3, 4}, 4) end) do out[#out + 1] = table.concat(p) end
show(table.concat(out, " "))
local many, total = {}, 0
for i = 1, 10000 do many[i] = coroutine.wrap(function() for j = 1, 3 do coroutine.yield(i * j) end end) end
for _ = 1, 3 do for i = 1, 10000 do total = total + many[i]() end end
show(total)

-- strings
show(string.format("%5d|%-5d|%05d|%+d|%x|%X|%o|%c|%%", 42, 42, 42, 42, 255, 255, 8, 65))
show(string.format("%.3f|%10.2e|%g|%g|%g|%a", math.pi, 12345.678, 1e20, 1e-5, 100, 0.1))
show(string.format("%q|%s|%.3s|%10s|%-10s|", 'a "quoted"\n\0 text', true, "truncate", "right", "left"))
show(string.format("%q %q %q", 1 / 3, math.mininteger, 0 / 1))
show(("hello world"):gsub("o", "0"), ("hello"):gsub("", "-"), ("abc"):gsub("%w", "%0%0"))
show(("key=value; other=thing"):gsub("(%w+)=(%w+)", "%2=%1"), ("x^2"):gsub("%^", {["^"] = "**"}))
show(("THE (quick) fox"):find("%((%a+)%)"), ("f(a(b)c)d"):match("%b()"), ("  trim  "):match("^%s*(.-)%s*$"))
for k, v in ("a=1, b=2, c=3"):gmatch("(%w)=(%w)") do io.write(k, v, " ") end print()
show(("%f[%w]%w+"):len(), ("THE (quick) fox"):gsub("%f[%a]%a+", string.lower))
show(string.pack("<i4 >i8 z s1 d", 1, -2, "zero", "one", 1.5):byte(1, -1))
show(string.unpack("<i2 >I3 s2", string.pack("<i2 >I3 s2", -300, 70000, "text")))
show(utf8.char(228, 8364, 128512), utf8.len("aä€😀"), utf8.codepoint("aä€😀", 1, -1))
show(#("x"):rep(1000000, ","), ("abc"):reverse(), ("abc"):byte(-1), tostring(12):rep(3))

-- numbers: integers of 64 bits everywhere, floats but for what the mathematical library rounds
show(math.maxinteger, math.mininteger, math.maxinteger + 1 == math.mininteger, math.maxinteger // -1)
show(7 // 2, -7 // 2, 7 % -3, -7 % 3, 7.5 // 2, -7.5 % 2, 1e308 * 10, -(0 / 0) ~= -(0 / 0))
show(1 << 63, 1 >> 1, ~0, 0xff ~ 0x0f, "10" + 5, "0x10" * 2, 10 / 2, 3 | 4, 2 ^ 53)
show(math.type(1), math.type(1.0), math.type("1"), math.tointeger(3.0), math.ult(1, -1), math.fmod(-7, 3))
show(pcall(function() return 1 // 0 end)) show(pcall(function() return 1.5 | 1 end))
local sum = 0.0
for i = 1, 100000 do sum = sum + math.sin(i) * math.exp(-i / 1000) / math.sqrt(i) end
show(string.format("%.13g", sum), math.floor(-3.5), math.ceil(-3.5), tonumber("z", 36), tonumber("1e1"))
show(string.format("%.14g", 0.1 + 0.2), 1e15, 1e16, 123456789012345678, 0.1, 1e100, 2 ^ 63, -0.0)
math.randomseed(42, 7)
show(math.random(1, 1000000), math.random(1, 1000000), string.format("%.17g", math.random()))

-- tables and metatables
local t = {}
for i = 1, 200 do t[i] = (i * 7919) % 1009 end
table.sort(t) show(table.concat(t, ",", 1, 20))
table.sort(t, function(a, b) return a > b end) show(table.concat(t, ",", 1, 20))
show(table.unpack({1, 2, nil, 4}, 1, 4)) show(select(-2, "a", "b", "c")) show(table.pack(nil, nil).n)
show(#table.move({1, 2, 3}, 1, 3, 3), next({}), rawlen({1, 2}), rawequal(t, t))
local V = {}
V.__index = V
V.__add = function(a, b) return setmetatable({a[1] + b[1]}, V) end
V.__eq = function(a, b) return a[1] == b[1] end
V.__lt = function(a, b) return a[1] < b[1] end
V.__le = function(a, b) return a[1] <= b[1] end
V.__call = function(self, x) return self[1] * x end
V.__tostring = function(self) return "V(" .. self[1] .. ")" end
V.__len = function() return 99 end
V.__concat = function(a, b) return tostring(a) .. "~" .. tostring(b) end
local a, b = setmetatable({1}, V), setmetatable({2}, V)
show(tostring(a + b), a == b, a < b, a <= b, a(10), #a, a .. b, a .. "x")
local goto_count = 0
::again::
goto_count = goto_count + 1
if goto_count < 5 then goto again end
show(goto_count)

-- the collector: finalizers, weak tables, a lot of garbage
local finalized = 0
for _ = 1, 100 do setmetatable({}, {__gc = function() finalized = finalized + 1 end}) end
local weak = setmetatable({}, {__mode = "v"})
weak[1], weak[2] = {}, a
for i = 1, 200000 do local _ = {i, tostring(i)} end
collectgarbage() collectgarbage()
show(finalized, weak[1], weak[2] == a)
for _, mode in ipairs {"generational", "incremental"} do
	collectgarbage(mode)
	for i = 1, 100000 do local _ = {i} end
end
show(collectgarbage("count") < 100000)

-- files
local name = arg and arg[1] or "lua_checks.tmp"
local f = assert(io.open(name, "w"))
show(f:write("first line\n", 42, " ", 3.5, "\n", "0x1F third\n", ("x"):rep(100000), "\nlast") == f, io.type(f))
f:close()
show(io.type(f)) show(pcall(f.write, f, "closed")) show((select(2, io.open("does/not/exist"))))
for line in io.lines(name) do io.write(#line, " ") end print()
f = assert(io.open(name, "r+"))
show(f:read("l", "n", "n", "l", "n")) show(f:seek("set", 6), f:read(4), f:seek("cur"), f:seek("end"))
f:seek("set", 0) f:write("FIRST") f:seek("set", 0) show(f:read("L"), #f:read("a"), f:read("a"), f:read("l"))
f:close()
f = assert(io.open(name, "a+")) f:write(" appended") f:seek("set", 0) show(#f:read("a")) f:close()
show(os.rename(name, name .. "2"), os.remove(name .. "2"), (select(2, os.remove(name .. "2")):match("No such file")))
show(os.time({year = 2024, month = 2, day = 30, hour = 12}), os.date("!%Y-%m-%d %H:%M:%S %A %j", 86400 * 365))
show(os.getenv("NOT_SET"), type(os.clock()), os.setlocale("C"), os.setlocale())
show(#string.dump(function() return 1 end) > 0, load(string.dump(function(x) return x * 2 end))(21))
show(debug.getinfo(1, "l").currentline, debug.traceback("trace", 1):match("^trace\nstack traceback:\n") ~= nil)
show(pcall(require, "no_such_module") == false, package.loaded.string == string)
