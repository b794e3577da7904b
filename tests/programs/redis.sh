#!/bin/bash
# redis - redis-server under redis-benchmark, with snapshots by a forked
# child; the server is linked with jemalloc, whose names must come to us.
#
# 1. What clients delete is freed by a thread of the server's own, which never
#    allocated it.
# 2. The data is compared, not the benchmark's speed: it is made by commands
#    with fixed values, so the digests of both servers must be equal.
# 3. A server restarted from the snapshot must have the same digest again.
# 4. Under the library, what jemalloc itself still holds must be under a
#    quarter of what the server says that it uses.
. "$(dirname "$0")/common"
needs redis-server redis-cli redis-benchmark

# The server picks no free port by itself; try some until one is taken.
start_server()
{
	local try

	for try in {1..20}; do
		port=$((20000 + (RANDOM * 32768 + RANDOM) % 40000))
		redis-server --port $port --bind 127.0.0.1 --save '' \
			--dir "$PWD" --daemonize no --lazyfree-lazy-user-flush yes \
			--lazyfree-lazy-user-del yes \
			--enable-debug-command local --activedefrag no \
			>server.log 2>&1 &
		server=$!
		for _ in {1..100}; do
			[ "$(cli ping 2>/dev/null)" = PONG ] &&
				[ "$(cli info server | tr -d '\r' |
				sed -n 's/^process_id://p')" = $server ] &&
				return
			kill -0 $server 2>/dev/null || break
			sleep 0.1
		done
		# One that found its port taken has ended by itself.
		kill -9 $server 2>/dev/null || :
	done
	tail -n 20 server.log >&2
	return 1
}

cli()
{
	env -u LD_PRELOAD redis-cli -h 127.0.0.1 -p $port "$@"
}

stop_server()
{
	cli shutdown nosave
	wait $server || {
		local status=$?
		tail -n 20 server.log >&2
		return $status
	}
}

info()
{
	cli info memory | tr -d '\r' | sed -n "s/^$1://p"
}

load_data()
{
	local load='redis-benchmark -h 127.0.0.1 -q --csv'

	# Unchecked output: it says how fast.
	$load -p $port -n 8000 -c 20 -P 8 -d 500 -t set,get,incr,lpush,rpop \
		>/dev/null
	$load -p $port -n 8000 -c 20 -P 8 -t sadd,hset,spop,zadd >/dev/null
	$load -p $port -n 2000 -c 4 --threads 2 -d 20000 \
		append growing x >/dev/null
	cli flushall
	cli eval "
		for i = 1, 20000 do
			redis.call('set', 'key' .. i, string.rep('x', i % 900))
			redis.call('hset', 'h' .. i % 50, 'f' .. i, i * i)
			redis.call('zadd', 'z' .. i % 20, i % 1000, 'm' .. i)
			redis.call('rpush', 'l' .. i % 30, 'v' .. i)
			redis.call('append', 'long', 'piece' .. i)
		end
		for i = 1, 20000, 3 do redis.call('del', 'key' .. i) end
		for i = 1, 20000, 5 do
			redis.call('setrange', 'key' .. i, 2000, 'end')
		end
		return 'loaded'" 0
}

workload()
{
	start_server
	load_data
	[ -z "${LD_PRELOAD:-}" ] || {
		check_mapped $server
		cli memory malloc-stats >/dev/null
		echo "$(info allocator_active) $(info used_memory)" \
			>"$top/held"
	}
	cli dbsize
	cli debug digest
	# A snapshot by a forked child, while the parent goes on writing.
	cli bgsave
	redis-benchmark -h 127.0.0.1 -p $port -n 20000 -c 10 -P 4 -q \
		set during __rand_int__ >/dev/null
	cli del during
	for _ in {1..200}; do
		cli info persistence | grep -q 'bgsave_in_progress:0' && break
		sleep 0.05
	done
	cli info persistence | tr -d '\r' |
		grep -E '^rdb_(bgsave_in_progress|last_bgsave_status):'
	cli save
	cli debug digest
	cli memory purge
	stop_server
	start_server
	cli dbsize
	cli debug digest
	cli flushall
	stop_server
}

compare_runs
read -r jemalloc used <"$top/held"
[ "$jemalloc" -lt $((used / 4)) ] ||
	fail "jemalloc still holds $jemalloc bytes of the $used in use"
echo "# jemalloc holds $jemalloc bytes, the server uses $used"
check_served redis-server --version
finish
