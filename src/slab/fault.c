#include "slab/fault.h"
#include "base/print.h"
#include "slab/slab.h"

/* Searches backwards for the run whose inside this page is: its first page.
 * NULL: there is none, the page is free or never was used. */
static const struct page *fault_find_run(const struct page *page)
{
	uint32_t pfn = page_to_pfn(page), at = pfn;

	/* Most of the window never was used, and to read all that the map says
	 * of it takes seconds. */
	if (!page_zone(page))
		return NULL;
	while (at && word_type(page_word(pfn_to_page(at))) == PAGE_NONE)
		at--;
	page = pfn_to_page(at);
	if (word_type(page_word(page)) == PAGE_RUN &&
	    pfn - at < run_nr_pages(page))
		return page;
	return NULL;
}

static const char *fault_of_freed(const char *what)
{
	if (string_is(what, "realloc"))
		return "realloc of freed block";
	if (string_is(what, "malloc_usable_size"))
		return "malloc_usable_size of freed block";
	return "double free of";
}

static _Noreturn void fault_slab(const char *what, const void *p,
				 uint64_t word)
{
	unsigned int class = word_slab(word)->class;
	size_t size = size_classes[class].size;
	size_t inside = slab_offset(class, p) % size;
	const char *object = (const char *)p - inside;
	const struct slab *slab = word_slab(word);

	if (inside)
		print_fatal("%s of %p, which points %zu bytes into a block "
			    "of %zu bytes at %p (slab %u)", what, p, inside,
			    size, (const void *)object, word_handle(word));
	if (slab_ends_before(slab, p))
		print_fatal("%s of %p, which is not allocated: it lies behind "
			    "the last block of %zu bytes in slab %u", what, p,
			    size, word_handle(word));
	if (word_is_asleep(word) || object_has_key(p) || slab_has(slab, p))
		print_fatal("%s %p (size class %zu, slab %u)",
			    fault_of_freed(what), p, size, word_handle(word));
	print_fatal("%s of %p: its slab %u was overwritten", what, p,
		    word_handle(word));
}

static _Noreturn void fault_run(const char *what, const void *p,
				const struct page *page)
{
	size_t size = run_nr_pages(page) << PAGE_SHIFT;
	const void *start = page_address(page);

	if (p != start)
		print_fatal("%s of %p, which points %zu bytes into a block "
			    "of %zu bytes at %p", what, p,
			    (size_t)((const char *)p - (const char *)start),
			    size, start);
	print_fatal("%s %p (%zu bytes)", fault_of_freed(what), p, size);
}

cold_path _Noreturn void fault_bad_pointer(const char *what, const void *p)
{
	const struct page *page, *run;
	uint64_t word;

	if (!vm_contains(p))
		print_fatal("%s of %p, which zbmalloc never handed out",
			    what, p);
	page = address_to_page(p);
	word = page_word(page);
	if (word_type(word) == PAGE_SLAB)
		fault_slab(what, p, word);
	run = fault_find_run(page);
	if (run)
		fault_run(what, p, run);
	print_fatal("%s of %p, which is not allocated: double free, or a "
		    "wild pointer", what, p);
}

cold_path _Noreturn void fault_write_after_free(const void *p)
{
	uint64_t word = page_word(address_to_page(p));

	print_fatal("write after free at %p (size class %u, slab %u): the "
		    "freed block's first bytes have changed", p,
		    size_classes[word_slab(word)->class].size,
		    word_handle(word));
}
