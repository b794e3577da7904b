/*
 * list - a doubly linked ring through nodes that live inside other structs.
 *
 * 1. The head is a node of the ring; an empty ring is a head that points to
 *    itself.
 * 2. A node that was removed points to itself, so list_is_linked tells.
 */
#ifndef ZBM_LIST_H
#define ZBM_LIST_H

#include "base/base.h"

struct list {
	struct list *next, *prev;
};

#define list_entry(node, type, member) container_of(node, type, member)

static inline void list_init(struct list *node)
{
	node->next = node->prev = node;
}

static inline bool list_is_linked(const struct list *node)
{
	return node->next != node;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_insert_between(struct list *node, struct list *prev,
				       struct list *next)
{
	node->prev = prev;
	node->next = next;
	prev->next = node;
	next->prev = node;
}

static inline void list_add_head(struct list *head, struct list *node)
{
	ASSERT(!list_is_linked(node));
	list_insert_between(node, head, head->next);
}

static inline void list_add_tail(struct list *head, struct list *node)
{
	ASSERT(!list_is_linked(node));
	list_insert_between(node, head->prev, head);
}

static inline void list_del(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

#endif
