/*
 * shim - Google Benchmark for programs written in C: the side in C++.
 *
 * 1. A state lives on the stack of the thread that runs the row, and joins
 *    the library's state with the row.
 * 2. The library takes bare functions for setup and teardown and does not tell
 *    them the row. So each row that has such gets functions of its own, made
 *    from a template by the row's place in `hooked`.
 */
#include "shim.h"

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <utility>

#include <benchmark/benchmark.h>

struct shim_state {
	benchmark::State &library;
	const shim_bench &bench;
};

namespace
{

struct row {
	std::string name;
	shim_bench bench;
};

std::deque<row> rows;	/* its elements do not move */
std::array<const shim_bench *, SHIM_MAX_HOOKED> hooked;
std::size_t nr_hooked;
std::atomic<bool> any_failed;

using hook = void (*)(const benchmark::State &);

struct hooks {
	hook setup, teardown;
};

template <std::size_t place> void call_setup(const benchmark::State &)
{
	if (hooked[place]->setup)
		hooked[place]->setup(hooked[place]);
}

template <std::size_t place> void call_teardown(const benchmark::State &)
{
	if (hooked[place]->teardown)
		hooked[place]->teardown(hooked[place]);
}

template <std::size_t... place>
constexpr std::array<hooks, sizeof...(place)>
make_hooks(std::index_sequence<place...>)
{
	return { hooks{ call_setup<place>, call_teardown<place> }... };
}

constexpr auto all_hooks =
	make_hooks(std::make_index_sequence<SHIM_MAX_HOOKED>());

void hook_up(benchmark::internal::Benchmark *registered,
	     const shim_bench *bench)
{
	if (nr_hooked == SHIM_MAX_HOOKED) {
		std::fprintf(stderr, "shim: %s: too many rows with setup\n",
			     bench->name);
		std::abort();
	}
	registered->Setup(all_hooks[nr_hooked].setup);
	registered->Teardown(all_hooks[nr_hooked].teardown);
	hooked[nr_hooked++] = bench;
}

} // namespace

void shim_register(const shim_bench *bench)
{
	row &row = rows.emplace_back();

	row.name = bench->name;
	row.bench = *bench;
	row.bench.name = row.name.c_str();

	const shim_bench *kept = &row.bench;
	auto *registered = benchmark::RegisterBenchmark(kept->name,
		[kept](benchmark::State &library) {
			shim_state state = { library, *kept };

			kept->run(&state);
		});

	/* Threads(1) would add "/threads:1" to the name. */
	if (kept->threads > 1)
		registered->Threads(kept->threads);
	if (kept->setup || kept->teardown)
		hook_up(registered, kept);
}

void shim_add_context(const char *key, const char *value)
{
	benchmark::AddCustomContext(key, value);
}

int shim_main(int argc, char **argv)
{
	benchmark::Initialize(&argc, argv);
	if (benchmark::ReportUnrecognizedArguments(argc, argv))
		return 2;

	/* None: no name matches the filter, which the library has said. */
	std::size_t nr_run = benchmark::RunSpecifiedBenchmarks();

	benchmark::Shutdown();
	return nr_run && !any_failed ? 0 : 1;
}

bool shim_keep_running(shim_state *state, int64_t n)
{
	return state->library.KeepRunningBatch(n);
}

int64_t shim_range(const shim_state *state, unsigned int i)
{
	return state->bench.range[i];
}

int shim_thread_index(const shim_state *state)
{
	return state->library.thread_index();
}

int shim_threads(const shim_state *state)
{
	return state->library.threads();
}

void shim_pause(shim_state *state)
{
	state->library.PauseTiming();
}

void shim_resume(shim_state *state)
{
	state->library.ResumeTiming();
}

void shim_skip_with_error(shim_state *state, const char *message)
{
	any_failed = true;
	state->library.SkipWithError(message);
}

int64_t shim_iterations(const shim_state *state)
{
	return state->library.iterations();
}

void shim_set_counter(shim_state *state, const char *name, double value,
		      shim_counter kind)
{
	using benchmark::Counter;
	static constexpr Counter::Flags flags[] = {
		Counter::kDefaults, Counter::kIsRate, Counter::kAvgThreads,
	};

	state->library.counters[name] = Counter(value, flags[kind]);
}

void shim_set_bytes_processed(shim_state *state, int64_t bytes)
{
	state->library.SetBytesProcessed(bytes);
}

void shim_set_items_processed(shim_state *state, int64_t items)
{
	state->library.SetItemsProcessed(items);
}
