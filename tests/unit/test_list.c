/*
 * test_list - rings of nodes.
 */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct item {
	int value;
	struct list link;
};

static struct list head;
static struct item items[5];

static int start(void **state)
{
	(void)state;
	list_init(&head);
	for (int i = 0; i < 5; i++) {
		items[i].value = i;
		list_init(&items[i].link);
	}
	return 0;
}

/* The digits of the items' values, read forwards. The ring is the same
 * backwards. */
static int digits(void)
{
	struct list *node = head.next, *back = head.prev;
	int n = 0, forward[8], at = 0;

	for (; node != &head; node = node->next) {
		assert_ptr_equal(node->next->prev, node);
		assert_ptr_equal(node->prev->next, node);
		forward[at++] = list_entry(node, struct item, link)->value;
		n = n * 10 + forward[at - 1];
	}
	for (; back != &head; back = back->prev)
		assert_int_equal(list_entry(back, struct item,
					    link)->value, forward[--at]);
	assert_int_equal(at, 0);
	return n;
}

static void test_a_new_head_is_empty(void **state)
{
	(void)state;
	assert_true(list_is_empty(&head));
	assert_int_equal(digits(), 0);
}

static void test_the_head_s_end_is_a_stack(void **state)
{
	(void)state;
	for (int i = 1; i < 5; i++)
		list_add_head(&head, &items[i].link);
	assert_int_equal(digits(), 4321);
	assert_false(list_is_empty(&head));
}

static void test_the_tail_s_end_is_a_queue(void **state)
{
	(void)state;
	for (int i = 1; i < 5; i++)
		list_add_tail(&head, &items[i].link);
	assert_int_equal(digits(), 1234);
}

static void test_any_node_can_be_removed(void **state)
{
	(void)state;
	for (int i = 1; i < 5; i++)
		list_add_tail(&head, &items[i].link);
	list_del(&items[2].link);
	assert_int_equal(digits(), 134);
	list_del(&items[1].link);
	assert_int_equal(digits(), 34);
	list_del(&items[4].link);
	assert_int_equal(digits(), 3);
	list_del(&items[3].link);
	assert_true(list_is_empty(&head));
}

static void test_a_node_knows_whether_it_is_linked(void **state)
{
	(void)state;
	assert_false(list_is_linked(&items[1].link));
	list_add_head(&head, &items[1].link);
	assert_true(list_is_linked(&items[1].link));
	list_del(&items[1].link);
	assert_false(list_is_linked(&items[1].link));
	list_add_tail(&head, &items[1].link);
	assert_int_equal(digits(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_new_head_is_empty, start),
		cmocka_unit_test_setup(test_the_head_s_end_is_a_stack, start),
		cmocka_unit_test_setup(test_the_tail_s_end_is_a_queue, start),
		cmocka_unit_test_setup(test_any_node_can_be_removed, start),
		cmocka_unit_test_setup(test_a_node_knows_whether_it_is_linked,
				       start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
