"""model - how lock wait and memory held grow with threads and nodes.

	PYTHONPATH=bench python3 -m model
	PYTHONPATH=bench python3 -m model --measure PROGRAM

1. Without arguments: simulates with the costs in costs.tsv, and prints the
   tables of docs/DESIGN.md. The same each time; less than a minute.
2. --measure runs zbm-model-costs five times, and prints what costs.tsv would
   be: of each row the least, for the machine may have had other work.
"""
import argparse
import os
import subprocess

from .simulation import FACTORS, Costs, Simulation

FOLDER = os.path.dirname(os.path.abspath(__file__))
THREADS = (2, 8, 32, 128, 512)
NODES = (1, 2, 4, 8, 16)
STEPS = 120000          # events, and as many more as STEPS_A_THREAD says
STEPS_A_THREAD = 2000
SMALL = (16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448,
    512, 640, 768, 896, 1024)
MIB = 1 << 20

ONE = dict(sizes=(64,), batch=1000)
MIXED = dict(sizes=SMALL, batch=300, work=100)
HANDED = dict(MIXED, remote=0.3)


def simulate(costs, threads, nodes, **workload):
    return Simulation(costs, threads, nodes, **workload).run(
        max(STEPS, STEPS_A_THREAD * threads))


def show(title, head, rows):
    print(f"\n{title}\n")
    for row in [head, ["---"] * len(head), *rows]:
        print("| " + " | ".join(map(str, row)) + " |")


def short(value):
    """Two digits, as the model deserves no more."""
    return f"{value:.1f}" if value < 10 else str(int(float(f"{value:.2g}")))


def cell(simulation):
    mib = sum(simulation.held()) / MIB
    return (f"{short(simulation.pair_ns())} ns, "
        f"{100 * simulation.waiting():.0f} %, {short(mib)} MiB")


def compare(costs):
    """The model, beside what this really takes on two CPUs."""
    rows = []
    for batch in (64, 250, 1000):
        for threads in (1, 2):
            s = Simulation(costs, threads, 1, sizes=(64,), batch=batch,
                warm=False).run(STEPS)
            real = costs.ns[f"real/{threads}/{batch}"]
            rows.append([threads, batch, short(s.pair_ns()), short(real)])
    show("The model beside the library: ns for a malloc and its free",
        ["threads", "blocks in a row", "model", "measured"], rows)


def grow(costs, title, workload):
    rows = [[threads] + [cell(simulate(costs, threads, nodes, **workload))
            if threads >= nodes else "" for nodes in NODES]
        for threads in THREADS]
    show(title, ["threads", "1 node"] + [f"{n} nodes" for n in NODES[1:]],
        rows)


def relieve(costs):
    rows = [[threads, name] + [cell(simulate(costs, threads, 1, barns=barns,
            **workload)) for barns in (1, 2, 4, 8)]
        for threads in (32, 128) for name, workload in
        (("one class", ONE), ("20 classes", MIXED))]
    show("One node, with a barn for each of several last-level caches",
        ["threads", "", "1 barn", "2 barns", "4 barns", "8 barns"], rows)
    rows = [[f"{threads}, {nodes}"] + [cell(simulate(costs, threads, nodes,
            alien=alien, **HANDED)) for alien in (125, 32, 8)]
        for threads, nodes in ((32, 2), (128, 4), (512, 16))]
    show("20 classes, 30 % handed on, by the size of alien sheaves",
        ["threads, nodes", "125 objects", "32 objects", "8 objects"], rows)


def lines_of_sheaf(objects, slabs, whole):
    """Lines of the home node that a thread elsewhere writes to send a sheaf
    home: its barn; or that, and of each slab the descriptor, the bitmap and a
    neighbour in the list."""
    return (1 if whole else 1 + 3 * slabs) / objects


def count_lines(costs):
    """Remote lines that each free of a remote object writes."""
    rows = [["each object to its slab, under the lock", "4", ""],
        ["each object pushed on its owner's list, atomically", "1", ""]]
    for objects in (8, 16, 32):
        in_slab = costs.classes[64][1]
        rows.append([f"alien sheaf of {objects}, taken whole",
            f"{lines_of_sheaf(objects, 0, True):.3f}", ""])
        rows.append([f"alien sheaf of {objects}, into slabs",
            f"{lines_of_sheaf(objects, 1 + objects / in_slab, False):.2f}",
            f"{lines_of_sheaf(objects, objects, False):.2f}"])
    show("Remote lines written for each free of an object of 64 bytes",
        ["", "objects in a row", "objects in any order"], rows)
    sent = simulate(costs, 32, 2, **HANDED).sent
    nr_sheaves = sent["whole"] + sent["flushed"]
    print(f"\nOf the alien sheaves of 32 threads on 2 nodes, "
        f"{100 * sent['whole'] / nr_sheaves:.0f} % were taken whole.")


def measure(program):
    texts = [subprocess.run([program], check=True, text=True,
        stdout=subprocess.PIPE).stdout.splitlines() for _ in range(5)]
    for lines in zip(*texts):
        name, value = lines[0].split("\t")
        if not name.startswith("class/"):
            value = min(float(l.split("\t")[1]) for l in lines)
        print(f"{name}\t{value}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", metavar="PROGRAM",
        help="zbm-model-costs, as built")
    args = parser.parse_args()
    if args.measure:
        return measure(args.measure)
    with open(os.path.join(FOLDER, "costs.tsv")) as file:
        costs = Costs(file.read())
    print("Remote lines cost", ", ".join(map(str, FACTORS)), "times as much "
        "as those of the same node, at no, one and two hops.")
    compare(costs)
    grow(costs, "One class (64 bytes), nothing but malloc and free", ONE)
    grow(costs, "20 classes (16 to 1024 bytes), 100 ns of work for each pair",
        MIXED)
    grow(costs, "The same, and 30 % of the frees are of another node", HANDED)
    relieve(costs)
    count_lines(costs)


if __name__ == "__main__":
    main()
