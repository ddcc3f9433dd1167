/*
 * cxa_exception.cpp of libc++abi, whose object every program has that throws, and beside it what stands
 * around main and around tasks in such a program: an exception that nobody catches ends in
 * std::terminate, which says its type and what() and aborts.
 */
#include "cxa_exception.cpp"

extern "C" void __cella_guard(void (*function)(void *), void *argument)
{
	try {
		function(argument);
	} catch (...) {
		std::terminate();
	}
}
