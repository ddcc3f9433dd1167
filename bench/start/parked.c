/* Prints a line and waits for the end of its input. */
#include <stdio.h>

int main(void)
{
	puts("parked");
	fflush(stdout);
	while (getchar() != EOF)
		continue;
	return 0;
}
