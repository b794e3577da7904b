-- script.lua - words, trees, strings and objects of mixed life in Lua.
--
--	lua5.4 script.lua TEXT TREES STRINGS STEPS
--
-- 1. The same phases as in script.py and script.pl; what they print is known
--    beforehand (bench/suite/truths.py).
-- 2. The collector runs as Lua sets it; each phase drops what it made.
local text, trees, strings, steps = arg[1], tonumber(arg[2]),
	tonumber(arg[3]), tonumber(arg[4])
local DEPTH, LIVE = 14, 20000

local function show(...)
	print(table.concat({ ... }, " "))
end

local function words()
	local count, total, distinct, top = {}, 0, 0, 0
	for line in io.lines(text) do
		for word in line:gmatch("%a+") do
			local n = (count[word] or 0) + 1
			count[word] = n
			total = total + 1
			if n == 1 then distinct = distinct + 1 end
			if n > top then top = n end
		end
	end
	show("words", total, distinct, top)
end

local function grow(depth)
	if depth == 0 then return {} end
	return { grow(depth - 1), grow(depth - 1) }
end

local function nodes(tree)
	return tree[1] and 1 + nodes(tree[1]) + nodes(tree[2]) or 1
end

local function grow_trees()
	local kept, sum = grow(DEPTH), 0
	for _ = 1, trees do sum = sum + nodes(grow(DEPTH)) end
	show("trees", sum, nodes(kept))
end

local function join_strings()
	local parts = {}
	for i = 1, strings do parts[i] = "item" .. i end
	local joined = table.concat(parts, ",")
	local _, commas = joined:gsub(",", ";")
	show("strings", #joined, commas)
end

-- Objects of 0 to 63 fields; a random one of the live set dies at each step.
local function churn()
	local live, state = {}, 42
	for _ = 1, steps do
		state = (state * 1103515245 + 12345) & 0x7fffffff
		local object = { state = state }
		for i = 1, (state >> 8) % 64 do object[i] = i end
		live[(state >> 14) % LIVE] = object
	end
	local count, sum = 0, 0
	for _, object in pairs(live) do
		count = count + 1
		sum = sum + #object
	end
	show("churn", count, sum)
end

words()
grow_trees()
join_strings()
churn()
