"""simulation - threads, bins, barns and their locks, by discrete events.

1. A thread is a generator. It yields the nanoseconds that it is busy, or None
   to wait until somebody resumes it. Whatever lies between two yields takes
   no time: a thread that has objects in its bin runs on to its next slow path
   at once, and pays for the objects then.
2. Bins, alien bins, barns and locks do what src/heap and src/slab do, with
   counts in place of objects. What a step costs is told by class Costs.
3. What another thread had last costs more: a barn and its sheaf
   `exchange/apart`, an object `object`, any other line `line`; times FACTORS
   by the hops between the two nodes.
4. Each thread has a CPU. Nodes stand in groups of four that are linked with
   each other, and two hops from all others.
"""
import heapq
import itertools
import random

# Access to a modified line of another socket, one hop and two hops away, over
# that of a neighbour core: 8 sockets of 10 cores, in David, Guerraoui and
# Trigonakis, "Everything you always wanted to know about synchronization but
# were afraid to ask", SOSP 2013.
FACTORS = (1.0, 2.7, 3.7)
GROUP = 4

LOCK_SPINS = 100        # src/base/lock.c
PAIRED_END = 128        # bytes; src/slab/size_class.h
MISSES_TO_GROW = 4      # src/heap/bin.h
BARN_MIN_FULL, BARN_LANES = 2, 16           # src/slab/barn.h
LANE_MAX_FULL, BARN_MAX_BYTES = 512, 16 << 20       # src/slab/barn_lane.c
LANE_MIN_EMPTY, LANE_OWN_BYTES, LANE_LOOKS = 4, 1 << 20, 4
PCP_BATCH, PCP_MAX_HIGH = 32, 128           # pages; src/mm/pcp.h
SHEAF_HEAD = 24         # bytes; src/slab/sheaf.h
SURPLUS_WANT = 16       # src/heap/heap.c

JITTER = (0.9, 1.1)     # of time: else two threads keep in step for ever


def hops(a, b):
    return 0 if a == b else 1 if a // GROUP == b // GROUP else 2


class Costs:
    """Of zbm-model-costs: nanoseconds by name, and the size classes."""

    def __init__(self, text):
        self.classes, self.ns = {}, {}
        for name, value in (line.split("\t") for line in text.splitlines()):
            if name.startswith("class/"):
                self.classes[int(name[6:])] = [int(n) for n in value.split()]
            else:
                self.ns[name] = float(value)
        self.pair, self.line = self.ns["pair"], self.ns["line"]
        self.apart = self.ns["exchange/apart"] - self.ns["exchange"]
        self.wake = self.ns["wake"]
        self.bounce, self.slab = self.ns["bounce"], self.ns["slab"]
        self.exchange, self.zone = self.ns["exchange"], self.ns["zone"]
        self.spin = LOCK_SPINS * self.ns["spin"]
        self.in_order = self.ns["object/in-order"]
        self.shuffled = self.ns["object/shuffled"]
        self.refill = self.straight("refill/")
        self.flush = self.straight("flush/")

    def straight(self, name):
        """The time of n objects, by those of 8 and of 120."""
        few, many = self.ns[name + "8"], self.ns[name + "120"]
        slope = (many - few) / 112
        return lambda n: few + (n - 8) * slope


class Lock:
    def __init__(self, thread):
        self.busy = self.contended = False
        self.last = thread
        self.spinning, self.sleeping = [], []


class Lane(Lock):
    def __init__(self, thread):
        super().__init__(thread)
        self.full = []          # (objects, thread that filled it)
        self.nr_empty, self.max_full = 0, BARN_MIN_FULL
        self.overflowed = False
        self.taken = self.most_taken = 0
        self.next = 0           # the one behind it that is asked first

    def count_taken(self):
        self.taken += 1
        self.most_taken = max(self.most_taken, self.taken)

    def has_surplus(self, size):
        """For threads of other lanes."""
        return len(self.full) > self.most_taken - self.taken or \
            sum(n for n, _ in self.full) * size > LANE_OWN_BYTES


class Barn(Lock):
    def __init__(self, thread, size, nr_threads=BARN_LANES):
        super().__init__(thread)
        self.size = size
        self.lanes = [Lane(thread)
            for _ in range(min(nr_threads, BARN_LANES))]
        self.partial = 0.0      # objects that slabs have left
        self.flusher = thread

    def lane_of(self, number, away=0):
        """Of the thread with the number, or one of the lanes after it."""
        place = number + number // BARN_LANES + away
        return self.lanes[place % len(self.lanes)]

    def full(self):
        """The objects of each full sheaf."""
        return [n for lane in self.lanes for n, _ in lane.full]


class Bin:
    def __init__(self, cap, want, main=0, spare=0):
        self.cap, self.want, self.misses = cap, want, 0
        self.main, self.spare = main, spare

    def want_more(self):
        self.misses += 1
        if self.misses == MISSES_TO_GROW:
            self.misses = 0
            self.want = min(2 * self.want + 8, self.cap)


class Thread:
    def __init__(self, number, node, place):
        self.number, self.node, self.place = number, node, place
        self.bins, self.alien = {}, {}
        self.pages = 0          # in its own lists
        self.pairs = self.work_ns = self.wait_ns = 0.0
        self.waits_since = None


class Simulation:
    """`scatter`: of the objects of a sheaf, how many lie in another slab than
    the one before. `barns`: per node and class, one for each last-level
    cache. `alien`: objects of the largest alien sheaf, as ALIEN_MAX of
    src/heap/heap_node.c."""

    def __init__(self, costs, threads, nodes, *, sizes, batch, work=0.0,
            remote=0.0, scatter=0.25, barns=1, alien=32, warm=True):
        self.costs, self.nodes, self.barns_per_node = costs, nodes, barns
        self.sizes, self.batch, self.work = sizes, batch, work
        self.remote = remote if nodes > 1 else 0.0
        self.scatter, self.alien, self.warm = scatter, alien, warm
        self.random = random.Random(20260101)
        self.now, self.since = 0.0, 0.0
        self.queue, self.order = [], itertools.count()
        self.made = 0.0         # objects: of slabs, and what bins began with
        self.sent = {"whole": 0, "flushed": 0, "objects": 0}
        self.threads = [Thread(i, i % nodes, i // nodes % barns)
            for i in range(threads)]
        self.barn = {(node, place, size): Barn(self.threads[node], size,
                len(self.threads))
            for node in range(nodes) for place in range(barns)
            for size in sizes}
        self.zone = [Lock(self.threads[node]) for node in range(nodes)]

    def run(self, steps):
        """As many events; of the first third nothing is counted."""
        for thread in self.threads:
            self.resume_at(self.random.random() * 1000, self.start(thread))
        for step in range(steps):
            self.now, _, running = heapq.heappop(self.queue)
            if step == steps // 3:
                self.forget()
            busy = next(running)
            if busy is not None:
                self.resume_at(self.now + busy, running)
        self.elapsed = self.now - self.since
        for thread in self.threads:
            self.count_wait(thread)
        return self

    def forget(self):
        self.since = self.now
        self.sent = dict.fromkeys(self.sent, 0)
        for thread in self.threads:
            thread.pairs = thread.work_ns = thread.wait_ns = 0.0

    def resume_at(self, when, running):
        heapq.heappush(self.queue, (when, next(self.order), running))

    def start(self, thread):
        thread.running = self.main(thread)
        return thread.running

    # What has been seen

    def pair_ns(self):
        """The allocator's part of a malloc with its free."""
        busy = len(self.threads) * self.elapsed
        return (busy - sum(t.work_ns for t in self.threads)) / sum(
            t.pairs for t in self.threads)

    def waiting(self):
        """Share of the threads' time in which they waited for a lock."""
        return sum(t.wait_ns for t in self.threads) / (
            len(self.threads) * self.elapsed)

    def held(self):
        """Bytes of free objects and their sheaves: own bins, alien, barns."""
        own = sum((b.main + b.spare) * size + 2 * self.sheaf(b)
            for t in self.threads for size, b in t.bins.items())
        alien = sum(b.spare * size + self.sheaf(b)
            for t in self.threads for (_, size), b in t.alien.items())
        barns = sum((barn.size + 8) * sum(barn.full())
            for barn in self.barn.values())
        return own, alien, barns

    @staticmethod
    def sheaf(b):
        return SHEAF_HEAD + 8 * b.want

    # Locks

    def factor(self, other, me):
        return 0.0 if other is me else FACTORS[hops(other.node, me.node)]

    def acquire(self, lock, me):
        me.waits_since = since = self.now
        while lock.busy:
            lock.spinning.append((since, me))
            yield None
        self.count_wait(me)
        me.waits_since = None
        lock.busy = True
        lock.contended |= self.now - since > self.costs.spin
        other, lock.last = lock.last, me
        yield self.costs.apart * self.factor(other, me)

    def count_wait(self, me):
        if me.waits_since is not None:
            me.wait_ns += self.now - max(me.waits_since, self.since)

    def release(self, lock, me):
        """Who spins sees it; of those that sleep one is woken, which costs
        both sides."""
        lock.busy = False
        late = [w for w in lock.spinning
            if self.now - w[0] > self.costs.spin]
        if late:
            lock.sleeping += late
            lock.spinning = [w for w in lock.spinning if w not in late]
            lock.contended = True
        if lock.spinning:
            _, other = lock.spinning.pop(0)
            self.resume_at(self.now + self.costs.bounce *
                self.factor(me, other), other.running)
        if lock.contended and lock.sleeping:
            lock.contended = False
            _, other = lock.sleeping.pop(0)
            self.resume_at(self.now + self.costs.wake, other.running)
            yield self.costs.wake / 2

    # Barns

    def barn_of(self, node, me, size):
        return self.barn[node, me.place, size]

    def get_full(self, barn, me):
        """Of the thread's lane, else of one of the next few others."""
        got = yield from self.get_full_of(barn, me, 0)
        own, others = barn.lane_of(me.number), len(barn.lanes) - 1
        for _ in range(min(others, LANE_LOOKS)):
            if got:
                break
            got = yield from self.get_full_of(barn, me, 1 + own.next)
            if not got:
                own.next = (own.next + 1) % others
        return got

    def get_full_of(self, barn, me, away):
        lane = barn.lane_of(me.number, away)
        if not lane.full and not lane.overflowed:
            return 0
        yield from self.acquire(lane, me)
        yield self.costs.exchange
        got, filler = 0, me
        if lane.full and (not away or lane.has_surplus(barn.size)):
            got, filler = lane.full.pop()
            lane.nr_empty = min(lane.nr_empty + 1,
                max(lane.max_full, LANE_MIN_EMPTY))
            if not away:
                lane.count_taken()
        elif lane.overflowed and not lane.full:
            lane.max_full = min(2 * lane.max_full, LANE_MAX_FULL)
            lane.overflowed = False
        yield from self.release(lane, me)
        yield self.lines_of(got, filler, me)
        return got

    def lines_of(self, n, other, me):
        """Of objects that another has freed."""
        costs = self.costs
        return n * self.factor(other, me) * (costs.in_order +
            self.scatter * (costs.shuffled - costs.in_order))

    def put_full(self, barn, me, n):
        """And takes an empty one with it."""
        lane = barn.lane_of(me.number)
        yield from self.acquire(lane, me)
        yield self.costs.exchange
        room = len(lane.full) < lane.max_full and \
            (sum(barn.full()) + n) * barn.size <= BARN_MAX_BYTES
        if room:
            lane.full.append((n, me))
            lane.taken = max(0, lane.taken - 1)
            lane.nr_empty = max(0, lane.nr_empty - 1)
        else:
            lane.overflowed = True
        yield from self.release(lane, me)
        return room

    def nr_slabs(self, barn, n):
        in_slab = self.costs.classes[barn.size][1]
        return min(n, 1 + n / in_slab + n * self.scatter)

    def slab_lines(self, barn, me, n):
        """Descriptor and bitmap of each slab, when another had them."""
        return 2 * self.nr_slabs(barn, n) * self.costs.line * \
            self.factor(barn.flusher, me)

    def refill(self, barn, me, n):
        yield from self.acquire(barn, me)
        if barn.partial < 1:
            yield from self.release(barn, me)
            yield from self.make_slab(barn, me)
            yield from self.acquire(barn, me)
            barn.partial += self.costs.classes[barn.size][1]
        n = int(min(n, barn.partial))
        barn.partial -= n
        yield self.costs.refill(n) + self.slab_lines(barn, me, n)
        filler = barn.flusher
        yield from self.release(barn, me)
        yield self.lines_of(n, filler, me)
        return n

    def make_slab(self, barn, me):
        _, objects, pages = self.costs.classes[barn.size]
        yield self.costs.slab
        self.made += objects
        me.pages -= pages
        if me.pages < 0:
            me.pages += PCP_BATCH
            yield from self.use_zone(me, pages)

    def use_zone(self, me, pages):
        """A batch for the thread's lists of pages, or of them."""
        zone = self.zone[me.node]
        yield from self.acquire(zone, me)
        yield self.costs.zone * PCP_BATCH / pages
        yield from self.release(zone, me)

    def flush(self, barn, me, n):
        _, objects, pages = self.costs.classes[barn.size]
        yield from self.acquire(barn, me)
        yield self.costs.flush(n) + self.slab_lines(barn, me, n)
        barn.flusher = me
        # What lies together leaves its slab unused, which goes.
        gone = n * (1 - self.scatter)
        barn.partial += n - gone
        self.made -= gone
        yield from self.release(barn, me)
        me.pages += gone / objects * pages
        if me.pages > PCP_MAX_HIGH:
            me.pages -= PCP_BATCH
            yield from self.use_zone(me, pages)

    # Threads

    def main(self, me):
        for size in self.sizes:
            cap = self.costs.classes[size][0]
            me.bins[size] = Bin(cap, cap if self.warm else min(8, cap),
                cap if self.warm else 0)
            self.made += me.bins[size].main
            cap = min(cap, self.alien)
            for node in range(self.nodes if self.remote else 0):
                if node != me.node:
                    me.alien[node, size] = Bin(cap, cap, 0,
                        self.random.randrange(cap))
                    self.made += me.alien[node, size].spare
        while True:
            size = self.random.choice(self.sizes)
            yield from self.alloc(me, size, self.batch)
            away = round(self.batch * self.remote)
            yield from self.free(me, size, self.batch - away)
            if away:
                yield from self.free_alien(me, size, away)

    def spend(self, me, n):
        """n calls that a bin has served, and the program between them."""
        jitter = self.random.uniform(*JITTER)
        me.work_ns += n * self.work / 2 * jitter
        me.pairs += n / 2
        return n * (self.costs.pair + self.work) / 2 * jitter

    def alloc(self, me, size, n):
        b, barn = me.bins[size], self.barn_of(me.node, me, size)
        while n:
            if not b.main and b.spare:
                b.main, b.spare = b.spare, 0
                b.want_more()
            elif not b.main:
                b.main = yield from self.get_full(barn, me)
            if not b.main:
                b.main = yield from self.refill(barn, me, b.want)
                b.want_more()
            k = min(n, b.main)
            b.main, n = b.main - k, n - k
            yield self.spend(me, k)

    def free(self, me, size, n):
        b, barn = me.bins[size], self.barn_of(me.node, me, size)
        stack = "spare" if size < PAIRED_END else "main"
        while n:
            if getattr(b, stack) >= b.want:
                yield from self.make_room(barn, me, b, stack)
            k = min(n, b.want - getattr(b, stack))
            setattr(b, stack, getattr(b, stack) + k)
            n -= k
            yield self.spend(me, k)

    def make_room(self, barn, me, b, stack):
        """The stack is full: the other one goes, if that is, too."""
        if b.main and b.spare:
            if (yield from self.put_full(barn, me, b.spare)):
                b.want_more()
            else:
                yield from self.flush(barn, me, b.spare)
                b.want = max(b.want // 2, min(SURPLUS_WANT, b.cap))
            b.spare = 0
        if getattr(b, stack):
            b.main, b.spare = b.spare, b.main

    def free_alien(self, me, size, n):
        node = self.random.randrange(self.nodes - 1)
        node += node >= me.node
        b = me.alien[node, size]
        home = self.barn_of(node, me, size)
        while n:
            if b.spare >= b.want:
                yield from self.send_home(home, me, b)
            k = min(n, b.want - b.spare)
            b.spare, n = b.spare + k, n - k
            yield self.spend(me, k)

    def send_home(self, home, me, b):
        self.sent["objects"] += b.spare
        b.want_more()
        if (yield from self.put_full(home, me, b.spare)):
            self.sent["whole"] += 1
        else:
            self.sent["flushed"] += 1
            yield from self.flush(home, me, b.spare)
        b.spare = 0
