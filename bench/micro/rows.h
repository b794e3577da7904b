/*
 * rows - the groups of rows of zbm-micro, each in the file of its name. Each
 * adds its rows for one count of threads; not every group has rows for each.
 */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include "micro.h"

void aligned_add_rows(int threads);
void batch_add_rows(int threads);
void calloc_add_rows(int threads);
void churn_add_rows(int threads);
void class_add_rows(int threads);
void fork_add_rows(int threads);
void handoff_add_rows(int threads);
void mixed_add_rows(int threads);
void pair_add_rows(int threads);
void realloc_add_rows(int threads);

#endif
