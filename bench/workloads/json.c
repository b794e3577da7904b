/*
 * json - documents that are parsed to trees, searched, printed and dropped.
 *
 * Origin: what most programs on the web do all day. The documents, drawn here,
 * are in the manner of those of M. Yip's nativejson-benchmark: catalogues with
 * texts and lists of coordinates.
 *
 * 1. A document is an object with a number, a list of records and a list of
 *    points. Few are large, most small: each doubling of the number of records
 *    is as likely as the next.
 * 2. The last NR_KEPT trees stay, as in a cache; the oldest is printed before
 *    it is dropped, and must be letter for letter the text that it came from.
 * 3. An operation is a document.
 */
#include "json_tree.h"
#include "workload.h"

#define NR_DOCUMENTS	2200
#define NR_KEPT		32
#define RECORD_BITS	11	/* records are below 2^RECORD_BITS */
#define MAX_WORDS	24	/* of a text in a record */

struct document {
	char *source;
	struct json *tree;
	uint64_t number;
};

static const char *const words[] = {
	"the", "page", "allocator", "of", "a", "kernel", "has", "zones", "and",
	"lists", "\"quoted\"", "line\nbreak", "tab\there", "back\\slash",
	"memory", "is", "never", "free",
};

static void put(struct text *text, const char *string)
{
	text_put(text, string, strlen(string));
}

static void put_sentence(struct text *text, struct random *random)
{
	uint64_t nr = random_between(random, 1, MAX_WORDS);
	char sentence[MAX_WORDS * 16];
	char *end = sentence;

	while (nr--) {
		end = stpcpy(end, words[random_below(random,
						     array_size(words))]);
		*end++ = ' ';
	}
	end[-1] = '\0';
	text_put_string(text, sentence);
}

static void put_record(struct text *text, struct random *random, uint64_t i)
{
	put(text, "{\"id\":");
	text_put_number(text, (int64_t)i * 1000);
	put(text, ",\"name\":");
	put_sentence(text, random);
	put(text, ",\"price\":");
	text_put_number(text, (int64_t)random_below(random, 100000000));
	put(text, ",\"tags\":[");
	for (uint64_t nr = random_below(random, 9); nr; nr--) {
		text_put_string(text, words[random_below(random,
							 array_size(words))]);
		put(text, nr > 1 ? "," : "");
	}
	put(text, "],\"in stock\":");
	put(text, random_below(random, 2) ? "true" : "false");
	put(text, ",\"maker\":{\"name\":");
	put_sentence(text, random);
	put(text, ",\"since\":null}}");
}

/* The text of document `number`, which ends with '\0'. */
static char *draw_document(struct random *random, uint64_t number)
{
	uint64_t nr = random_skewed(random, RECORD_BITS);
	struct text text = { .bytes = NULL };

	put(&text, "{\"number\":");
	text_put_number(&text, (int64_t)number * 1000);
	put(&text, ",\"records\":[");
	for (uint64_t i = 0; i < nr; i++) {
		put(&text, i ? "," : "");
		put_record(&text, random, i);
	}
	put(&text, "],\"points\":[");
	for (uint64_t i = 0; i < nr; i++) {
		put(&text, i ? ",[" : "[");
		text_put_number(&text,
				(int64_t)random_below(random, 360000) - 180000);
		put(&text, ",");
		text_put_number(&text,
				(int64_t)random_below(random, 180000) - 90000);
		put(&text, "]");
	}
	text_put(&text, "]}", 3);
	return text.bytes;
}

/* The sum of all prices, and a look at the number. */
static uint64_t document_search(const struct document *document)
{
	const struct json *number = json_find(document->tree, "number");
	const struct json *records = json_find(document->tree, "records");
	uint64_t sum = 0;

	if (!number || number->number != (int64_t)document->number * 1000 ||
	    !records)
		workload_die("document %ju is another",
			     (uintmax_t)document->number);
	for (uint32_t i = 0; i < records->nr; i++)
		sum += (uint64_t)json_find(records->values[i],
					   "price")->number;
	return mix(sum);
}

static void document_end(struct run *run, struct document *document)
{
	struct text text = { .bytes = NULL };

	json_print(document->tree, &text);
	text_put(&text, "", 1);
	if (strcmp(text.bytes, document->source))
		workload_die("document %ju is not what was parsed",
			     (uintmax_t)document->number);
	run_sample(run);
	free(text.bytes);
	free(document->source);
	json_drop(document->tree);
	*document = (struct document){ .source = NULL };
}

static void json_run(struct run *run)
{
	uint64_t nr = run_scaled(run, NR_DOCUMENTS);
	struct document documents[NR_KEPT] = { 0 };
	struct random random = { .state = 8259 };

	for (uint64_t i = 0; i < nr; i++) {
		struct document *document = &documents[i % NR_KEPT];

		if (document->tree)
			document_end(run, document);
		document->number = i;
		document->source = draw_document(&random, i);
		document->tree = json_parse(document->source);
		run->checksum += document_search(document);
	}
	for (size_t i = 0; i < NR_KEPT; i++) {
		if (documents[i].tree)
			document_end(run, &documents[i]);
	}
	run->operations = nr;
}

const struct workload workload_json = {
	.name = "json",
	.origin = "JSON documents parsed to trees, searched, printed, dropped; "
		  "RFC 8259 and what parsers are measured with",
	.seconds = 2,
	.run = json_run,
};
