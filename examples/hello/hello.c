/* The smallest program: `cella cc hello.c && cella run hello.cell Ada`. */
#include <stdio.h>

int main(int argc, char **argv)
{
	printf("Hello, %s, from inside a cell.\n", argc > 1 ? argv[1] : "world");
	return 0;
}
