# numa-topology.sh - the nodes of a guest: presets, and what QEMU is told.
#
# 1. node_cpus, node_mem and node_hot hold, by node, the number of CPUs, MiB of
#    memory and MiB of memory that is plugged in and offline; distance[A:B] the
#    distance from A to B.
# 2. topology_choose fills them in; topology_qemu sets topology_args.
# 3. The caller has $topology, $cpus, $cores, $mem, $custom_distances and die.

node_cpus=() node_mem=() node_hot=()
declare -A distance=()

is_number()
{
	[[ $1 =~ ^[0-9]+$ ]]
}

# between A B DISTANCE, both ways
between()
{
	distance[$1:$2]=$3 distance[$2:$1]=$3
}

# nodes_have WHAT...: one WHAT for each node: c CPUs, m memory, h hot-plugged
# memory; with the amounts from --cpus and --mem.
nodes_have()
{
	local cpu_list mem_list node=0 what m

	IFS=, read -ra cpu_list <<<"$cpus"
	IFS=, read -ra mem_list <<<"$mem"
	for what; do
		node_cpus[node]=0 node_mem[node]=0 node_hot[node]=0
		m=${mem_list[node]:-${mem_list[-1]}}
		if [[ $what == *c* ]]; then
			node_cpus[node]=${cpu_list[node]:-${cpu_list[-1]}}
		fi
		[[ $what != *m* ]] || node_mem[node]=$m
		[[ $what != *h* ]] || node_hot[node]=$m
		is_number "${node_cpus[node]}" ||
			die "--cpus wants numbers, not '$cpus'"
		is_number "$m" || die "--mem wants MiB, not '$mem'"
		node=$((node + 1))
	done
}

topology_1node()
{
	nodes_have cm
}

topology_2node()
{
	nodes_have cm cm
	between 0 1 20
}

topology_4node()
{
	nodes_have cm cm cm cm
	between 0 1 16
	between 1 2 16
	between 2 3 16
	between 3 0 16
	between 0 2 22
	between 1 3 22
}

topology_cxl()
{
	nodes_have cm cm m
	between 0 1 20
	between 0 2 30
	between 1 2 30
}

topology_hotplug()
{
	nodes_have cm cm h
	between 0 1 20
	between 0 2 30
	between 1 2 30
}

topology_memoryless()
{
	nodes_have cm cm c
	between 0 1 20
	between 0 2 24
	between 1 2 14
}

# Memory on nodes 0, 2 and 3, of which the last is the nearest to the first, and
# not as far to as from.
topology_sparse()
{
	nodes_have cm c cm cm
	between 0 1 24
	between 0 2 25
	between 0 3 18
	between 1 2 14
	between 1 3 20
	between 2 3 20
	distance[3:0]=22
	distance[3:2]=27
}

topology_8node()
{
	local a b

	nodes_have cm cm cm cm cm cm cm cm
	for a in {0..7}; do
		for ((b = a + 1; b < 8; b++)); do
			if ((a / 2 == b / 2)); then
				between $a $b 12
			elif ((a / 4 == b / 4)); then
				between $a $b 21
			else
				between $a $b 31
			fi
		done
	done
}

# As many as an allocator has to know: two with CPUs, the rest small.
topology_64node()
{
	local a b

	mem=512,256,64
	nodes_have cm cm $(printf 'm%.0s ' {3..64})
	for a in {0..63}; do
		for ((b = a + 1; b < 64; b++)); do
			between $a $b $((20 + (b - a)))
		done
	done
}

# The options have filled the nodes in.
topology_custom()
{
	:
}

topology_choose()
{
	local entry a b d

	declare -F "topology_$topology" >/dev/null ||
		die "unknown topology '$topology' (see --help)"
	"topology_$topology"
	for entry in "${custom_distances[@]}"; do
		IFS=: read -r a b d <<<"$entry"
		((a < ${#node_cpus[@]} && b < ${#node_cpus[@]})) ||
			die "--distance $entry: no such node"
		between "$a" "$b" "$d"
	done
}

# topology_memory NODE: that node's memory, or none.
topology_memory()
{
	local node=$1

	if ((node_mem[node] == 0)); then
		topology_args+=(-numa "node,nodeid=$node")
	else
		topology_args+=(
			-object "memory-backend-ram,id=mem$node,$(
				)size=${node_mem[node]}M"
			-numa "node,nodeid=$node,memdev=mem$node")
	fi
	if ((${node_hot[node]:-0})); then
		topology_args+=(
			-object "memory-backend-ram,id=hot$node,$(
				)size=${node_hot[node]}M"
			-device "pc-dimm,id=dimm$node,memdev=hot$node,$(
				)node=$node")
	fi
}

# $cores CPUs make a socket, and share its last-level cache; a socket is of one
# node.
topology_qemu()
{
	local node other nr_cpus=0 total=0 socket=0 count dimms=0 room=0 memory

	topology_args=()
	is_number "$cores" && ((cores)) ||
		die "--cores wants a number above 0, not '$cores'"
	for node in "${!node_cpus[@]}"; do
		((node_cpus[node] % cores == 0)) ||
			die "node $node has ${node_cpus[node]} CPUs, which" \
				"is not a multiple of $cores (--cores)"
		nr_cpus=$((nr_cpus + node_cpus[node]))
		total=$((total + node_mem[node]))
		topology_memory "$node"
		if ((${node_hot[node]:-0})); then
			dimms=$((dimms + 1))
			# Each may need aligning.
			room=$((room + node_hot[node] + 1024))
		fi
	done
	((nr_cpus)) || die "no node has a CPU"
	((node_mem[0] >= 256)) ||
		die "node 0 holds the kernel and needs 256 MiB or more"
	for node in "${!node_cpus[@]}"; do
		for ((count = node_cpus[node]; count > 0; count -= cores)); do
			topology_args+=(
				-numa "cpu,node-id=$node,socket-id=$socket")
			socket=$((socket + 1))
		done
	done
	for node in "${!node_cpus[@]}"; do
		for other in "${!node_cpus[@]}"; do
			((node != other)) || continue
			topology_args+=(-numa "dist,src=$node,dst=$other,$(
				)val=${distance[$node:$other]:-20}")
		done
	done
	memory=${total}M
	if ((dimms)); then
		memory+=",slots=$dimms,maxmem=$((total + room))M"
	fi
	topology_args+=(-m "$memory"
		-smp "$nr_cpus,sockets=$((nr_cpus / cores)),$(
			)cores=$cores,threads=1")
}
