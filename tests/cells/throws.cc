/* Exceptions of C++ (integration/exceptions): what it prints is the same natively. */
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

struct Base {
	virtual ~Base() = default;
	virtual const char *name() const { return "base"; }
};
struct Derived : Base {
	const char *name() const override { return "derived"; }
};
struct Other : Base {
};
struct Noisy {
	const char *name;
	explicit Noisy(const char *n) : name(n) { std::printf("+%s ", name); }
	Noisy(const Noisy &other) : name(other.name) {}
	~Noisy() { std::printf("-%s ", name); }
};
struct Fault : std::runtime_error {
	int number;
	Fault(const char *what, int n) : std::runtime_error(what), number(n) {}
};

[[gnu::noinline]] static void dive(int depth)
{
	Noisy frame("frame");
	std::string text(40, (char)('a' + depth));
	if (depth == 0)
		throw Fault("deep", 7);
	dive(depth - 1);
	std::printf("never %s\n", text.c_str());
}

static void through_many_frames()
{
	try {
		Noisy outer("outer");
		dive(3);
	} catch (const std::exception &e) {
		std::printf("| %s %d\n", e.what(), dynamic_cast<const Fault *>(&e)->number);
	}
}

static void by_class()
{
	try {
		throw Derived();
	} catch (const Other &) {
		std::puts("never");
	} catch (const Base &b) {
		std::printf("%s as base\n", b.name());
	}
	try {
		throw "text";
	} catch (const std::string &) {
		std::puts("never");
	} catch (const char *text) {
		std::puts(text);
	}
}

static void again()
{
	try {
		try {
			throw Fault("first", 1);
		} catch (Fault &f) {
			f.number++;
			throw;
		}
	} catch (const Fault &f) {
		std::printf("again %d\n", f.number);
	}
	try {
		try {
			throw 1;
		} catch (...) {
			throw 2;
		}
	} catch (int n) {
		std::printf("another %d\n", n);
	}
}

static void kept()
{
	std::exception_ptr pointer;
	try {
		throw Fault("kept", 3);
	} catch (...) {
		pointer = std::current_exception();
	}
	try {
		std::rethrow_exception(pointer);
	} catch (const Fault &f) {
		std::printf("%s %d, %d under way\n", f.what(), f.number, std::uncaught_exceptions());
	}
	try {
		try {
			throw std::runtime_error("inner");
		} catch (...) {
			std::throw_with_nested(std::logic_error("outer"));
		}
	} catch (const std::logic_error &e) {
		try {
			std::rethrow_if_nested(e);
		} catch (const std::exception &inner) {
			std::printf("%s in %s\n", inner.what(), e.what());
		}
	}
}

struct Whole {
	Noisy a{"a"}, b{"b"};
	Whole() { throw 5; }
};

static void half_made()
{
	try {
		Whole whole;
	} catch (int n) {
		std::printf("| %d\n", n);
	}
	try {
		Noisy many[2] = {Noisy("x"), (throw 6, Noisy("y"))};
	} catch (int n) {
		std::printf("| %d\n", n);
	}
}

static void from_the_library()
{
	std::vector<int> v(3);
	try {
		v.at(3) = 1;
	} catch (const std::out_of_range &) {
		std::puts("at");
	}
	try {
		(void)std::stoi("none");
	} catch (const std::invalid_argument &) {
		std::puts("stoi");
	}
	try {
		std::string(v.size(), 'x').substr(9);
	} catch (const std::out_of_range &) {
		std::puts("substr");
	}
	try {
		(void)dynamic_cast<const Other &>(static_cast<const Base &>(Derived()));
	} catch (const std::bad_cast &) {
		std::puts("bad cast");
	}
}

static int function_try(int n)
try {
	if (n)
		throw n;
	return 0;
} catch (int caught) {
	return caught + 1;
}

static void ends_the_program() noexcept
{
	dive(1);
}

/* A constructor before main. */
static struct Early {
	Early()
	{
		if (std::getenv("EARLY"))
			throw std::string("early");
	}
} early;

int main(int argc, char **)
{
	through_many_frames();
	by_class();
	again();
	kept();
	half_made();
	from_the_library();
	std::printf("%d %d\n", function_try(0), function_try(1));
	std::fflush(stdout);
	if (argc > 2)
		ends_the_program();
	if (argc > 1)
		throw Fault("nobody catches this", 1);
}
