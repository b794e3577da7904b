"""test_model - the simulation, where the answer is known without it.

	PYTHONPATH=bench ZBM_BENCH_BUILD=BUILD/bench python3 -m \\
		unittest model.test_model
"""
import os
import subprocess
import unittest

from .simulation import Barn, Bin, Costs, Lock, Simulation, Thread, hops

FOLDER = os.path.dirname(os.path.abspath(__file__))


def read_costs(**changed):
    with open(os.path.join(FOLDER, "costs.tsv")) as file:
        costs = Costs(file.read())
    for name, value in changed.items():
        setattr(costs, name, value)
    return costs


def simulate(threads, nodes, steps=20000, costs=None, **workload):
    workload = dict(dict(sizes=(64,), batch=1000), **workload)
    return Simulation(costs or read_costs(), threads, nodes,
        **workload).run(steps)


class Queue(Simulation):
    """Threads that think, and then hold one lock: the textbook's case."""
    think, hold = 1000.0, 100.0

    def main(self, me):
        self.lock = getattr(self, "lock", None) or Lock(me)
        while True:
            yield self.random.expovariate(1 / self.think)
            yield from self.acquire(self.lock, me)
            yield self.hold
            yield from self.release(self.lock, me)
            me.pairs += 1


class TestLock(unittest.TestCase):
    def rate(self, threads):
        costs = read_costs(apart=0.0, bounce=0.0, wake=0.0, spin=1e18)
        queue = Queue(costs, threads, 1, sizes=(64,), batch=1).run(60000)
        return sum(t.pairs for t in queue.threads) / queue.elapsed, queue

    def test_one_thread_never_waits(self):
        rate, queue = self.rate(1)
        self.assertEqual(queue.waiting(), 0)
        self.assertAlmostEqual(rate * 1100, 1, delta=0.03)

    def test_a_crowd_gets_what_the_lock_can_give(self):
        rate, queue = self.rate(40)
        self.assertAlmostEqual(rate * 100, 1, delta=0.001)
        self.assertAlmostEqual(queue.waiting(), 1 - 11 / 40, delta=0.01)

    def test_in_between_it_is_the_machine_repair_model(self):
        """Holding always as long is better than holding at random, and not
        as good as no waiting."""
        free, thinking = [1.0], 1000.0
        for n in range(1, 9):
            free.append(free[-1] * (9 - n) * 100 / thinking)
        exponential = (1 - 1 / sum(free)) / 100
        rate, _ = self.rate(8)
        self.assertGreater(rate, exponential)
        self.assertLess(rate, 8 / 1100)

    def test_sleepers_are_woken(self):
        costs = read_costs(spin=0.0)
        queue = Queue(costs, 4, 1, sizes=(64,), batch=1).run(20000)
        self.assertGreater(min(t.pairs for t in queue.threads), 100)


class TestSimulation(unittest.TestCase):
    def test_it_gives_the_same_twice(self):
        a, b = (simulate(8, 2, remote=0.3) for _ in range(2))
        self.assertEqual((a.pair_ns(), a.waiting(), a.held(), a.sent),
            (b.pair_ns(), b.waiting(), b.held(), b.sent))

    def test_what_fits_the_bins_never_meets_a_barn(self):
        s = simulate(4, 1, batch=100)
        self.assertEqual(s.waiting(), 0)
        self.assertAlmostEqual(s.pair_ns(), s.costs.pair, delta=0.1)

    def test_objects_are_neither_made_nor_lost_on_the_way(self):
        for scatter in (0.25, 1.0):
            s = simulate(4, 2, remote=0.5, batch=300, scatter=scatter)
            free = sum(b.main + b.spare for t in s.threads for b in
                [*t.bins.values(), *t.alien.values()])
            free += sum(sum(barn.full()) for barn in s.barn.values())
            free += sum(barn.partial for barn in s.barn.values())
            # Each thread uses up to a batch, and has a sheaf in its hands.
            self.assertLess(abs(s.made - free - 4 * 150), 4 * (150 + 240))

    def test_nodes_do_not_disturb_each_other(self):
        near = simulate(8, 1, steps=40000).waiting()
        far = simulate(8, 8, steps=40000)
        self.assertGreater(near, 0)
        self.assertEqual(far.waiting(), 0)

    def test_more_barns_wait_less(self):
        one, eight = (simulate(32, 1, barns=n, steps=40000).waiting()
            for n in (1, 8))
        self.assertLess(eight, one * 2 / 3)

    def test_alien_sheaves_hold_what_they_may(self):
        big, small = (simulate(4, 4, remote=0.3, alien=n).held()[1]
            for n in (125, 8))
        self.assertLess(small, big / 4)
        self.assertEqual(simulate(4, 4).held()[1], 0)

    def test_hops(self):
        self.assertEqual([hops(0, 0), hops(0, 3), hops(3, 4), hops(15, 12)],
            [0, 1, 2, 1])


class TestBarn(unittest.TestCase):
    def step(self, generator):
        while True:
            try:
                next(generator)
            except StopIteration as end:
                return end.value

    def test_it_keeps_more_when_one_was_missed(self):
        s = Simulation(read_costs(), 1, 1, sizes=(64,), batch=1)
        me = s.threads[0]
        barn = Barn(me, 64)
        self.assertEqual([self.step(s.put_full(barn, me, 120))
            for _ in range(3)], [True, True, False])
        self.assertEqual([self.step(s.get_full(barn, me))
            for _ in range(3)], [120, 120, 0])
        self.assertEqual([lane.max_full for lane in barn.lanes],
            [4] + 15 * [2])

    def test_a_bin_grows_by_misses(self):
        b, wants = Bin(120, 8), []
        for _ in range(16):
            b.want_more()
            wants.append(b.want)
        self.assertEqual(wants[:4], [8, 8, 8, 24])
        self.assertEqual(wants[3::4], [24, 56, 120, 120])


@unittest.skipUnless(os.environ.get("ZBM_BENCH_BUILD"), "nothing is built")
class TestClasses(unittest.TestCase):
    def test_classes_are_those_of_the_library(self):
        program = os.path.join(os.environ["ZBM_BENCH_BUILD"],
            "zbm-model-costs")
        said = subprocess.run([program, "classes"], check=True, text=True,
            stdout=subprocess.PIPE).stdout
        with open(os.path.join(FOLDER, "costs.tsv")) as file:
            kept = [l for l in file if l.startswith("class/")]
        self.assertEqual(said.splitlines(True), kept)


if __name__ == "__main__":
    unittest.main()
