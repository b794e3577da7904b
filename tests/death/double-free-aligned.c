/* case 64-100 dies: double free */
/* case 64-5000 dies: double free */
/* case 64-300k dies: double free */
/* case 64-3m dies: double free|not allocated */
/* case 4k-100 dies: double free */
/* case 4k-5000 dies: double free */
/* case 4k-300k dies: double free */
/* case 4k-3m dies: double free|not allocated */
/* case 2m-100 dies: double free|not allocated */
/* case 2m-5000 dies: double free|not allocated */
/* case 2m-300k dies: double free|not allocated */
/* case 2m-3m dies: double free|not allocated */
/* case 64m-100 dies: double free|not allocated */
/* case 64m-5000 dies: double free|not allocated */
/* case 64m-300k dies: double free|not allocated */
/* case 64m-3m dies: double free|not allocated */
/*
 * double-free-aligned - aligned blocks are freed twice; a case is the
 * alignment and the size.
 */
#include "death.h"

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	char align[16];
	void *p;

	snprintf(align, sizeof(align), "%s", name);
	if (!strchr(align, '-'))
		death_unknown(name);
	*strchr(align, '-') = 0;
	if (posix_memalign(&p, size_of_case(align), size_of_case(name)))
		return 2;
	memset(p, 1, 100);
	free(p);
	free(hide(p));
	return death_survived();
}
