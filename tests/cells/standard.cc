/* The standard library of C++ (integration/exceptions): what it prints is the same natively. */
#include <algorithm>
#include <any>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <complex>
#include <cstdio>
#include <deque>
#include <filesystem>
#if __has_include(<format>)
#include <format>
#endif
#include <fstream>
#include <functional>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <queue>
#include <random>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <typeinfo>
#include <unordered_map>
#include <variant>
#include <vector>

static int order_of_initialisers = 0;
struct Initialised {
	int number;
	std::string text;
	Initialised(const char *t) : number(++order_of_initialisers), text(t) {}
	~Initialised() { std::printf("end of %s\n", text.c_str()); }
};
static Initialised first("first"), second("second");
static thread_local std::vector<int> of_this_thread = {1, 2, 3};

static Initialised &local_static()
{
	static Initialised once("once");
	return once;
}

static void containers()
{
	std::map<std::string, int> words;
	std::istringstream text("the cat and the dog and the bird");
	for (std::string word; text >> word;)
		words[word]++;
	for (const auto &[word, count] : words)
		std::cout << word << '=' << count << ' ';
	std::cout << '\n';
	std::unordered_map<std::string, std::vector<int>> table;
	for (int i = 0; i < 1000; i++)
		table["key" + std::to_string(i % 17)].push_back(i);
	std::cout << table.size() << ' ' << table["key3"].size() << ' ' << table.at("key16").back() << '\n';
	std::priority_queue<int> queue;
	for (int i : {3, 9, 4, 7})
		queue.push(i);
	std::list<int> list(3, queue.top());
	std::deque<int> deque(list.begin(), list.end());
	deque.push_front(1);
	std::set<int> set(deque.begin(), deque.end());
	std::cout << set.size() << ' ' << *set.rbegin() << ' ' << std::get<1>(std::make_tuple(1, "two")) << '\n';
}

static void algorithms()
{
	std::vector<int> v(1000);
	std::iota(v.begin(), v.end(), 0);
	std::mt19937 random(42);
	for (size_t i = v.size() - 1; i > 0; i--)
		std::swap(v[i], v[random() % (i + 1)]);
	std::cout << v[0] << ' ' << v[999] << ' ';
	std::sort(v.begin(), v.end(), std::greater<>());
	std::cout << v[0] << ' ' << std::accumulate(v.begin(), v.end(), 0) << ' '
		  << std::count_if(v.begin(), v.end(), [](int n) { return n % 7 == 0; }) << ' '
		  << *std::lower_bound(v.rbegin(), v.rend(), 500) << '\n';
	std::cout << std::setprecision(15) << std::exp(1.0) << ' ' << std::complex<double>(1, 2) * 2.0 << ' '
		  << std::fixed << std::setprecision(3) << 2.0 / 3 << std::defaultfloat << ' ' << std::hex << 255
		  << std::dec << ' ' << std::setw(6) << std::setfill('*') << 42 << std::setfill(' ') << '\n';
}

static void texts()
{
	const std::string line = "2026-11-28: alpha=1, beta=22";
	const std::regex pattern("([a-z]+)=([0-9]+)");
	for (auto i = std::sregex_iterator(line.begin(), line.end(), pattern); i != std::sregex_iterator(); ++i)
		std::cout << (*i)[1] << ':' << (*i)[2] << ' ';
	std::cout << std::regex_replace(line, std::regex("[0-9]"), "#") << '\n';
	try {
		std::regex wrong("(");
	} catch (const std::regex_error &) {
		std::cout << "regex_error\n";
	}
	double number = 0;
	std::istringstream("3.25") >> number;
	int whole = 0;
	std::from_chars(line.data(), line.data() + 4, whole);
	std::cout << number << ' ' << whole << ' ' << std::string_view(line).substr(12, 5) << '\n';
}

static void formats()
{
#ifdef __cpp_lib_format
	std::cout << std::format("{:>6.2f}|{:#x}|{}", 3.14159, 255, true);
	try {
		std::cout << std::vformat("{:d}", std::make_format_args("text"));
	} catch (const std::format_error &) {
		std::cout << " format_error\n";
	}
#else
	std::cout << "  3.14|0xff|true format_error\n";
#endif
}

static void values()
{
	std::variant<int, std::string> either = "text";
	std::any any = 4;
	std::optional<int> none;
	try {
		(void)std::get<int>(either);
	} catch (const std::bad_variant_access &) {
		std::cout << "bad_variant_access ";
	}
	try {
		(void)std::any_cast<std::string>(any);
	} catch (const std::bad_any_cast &) {
		std::cout << "bad_any_cast ";
	}
	try {
		(void)none.value();
	} catch (const std::bad_optional_access &) {
		std::cout << "bad_optional_access ";
	}
	try {
		std::function<void()>()();
	} catch (const std::bad_function_call &) {
		std::cout << "bad_function_call ";
	}
	try {
		std::vector<int>().reserve((size_t)-1);
	} catch (const std::length_error &) {
		std::cout << "length_error\n";
	}
	auto shared = std::make_shared<int>(5);
	std::weak_ptr<int> weak = shared;
	shared.reset();
	std::cout << weak.expired() << ' ' << (typeid(int) == typeid(int32_t) ? "same" : "other") << '\n';
}

static void files()
{
	namespace fs = std::filesystem;
	fs::create_directories("folder/inner");
	std::ofstream("folder/inner/file") << "one\ntwo\n";
	std::ifstream in("folder/inner/file");
	std::string line;
	int lines = 0;
	while (std::getline(in, line))
		lines++;
	std::cout << lines << ' ' << line << ' ' << fs::file_size("folder/inner/file") << ' '
		  << fs::exists("folder/none") << ' ' << fs::path("a/../b/c.txt").lexically_normal().string() << '\n';
	try {
		(void)fs::file_size("folder/none");
	} catch (const fs::filesystem_error &e) {
		std::cout << "filesystem_error " << (e.code() == std::errc::no_such_file_or_directory) << '\n';
	}
	std::ifstream missing("folder/none");
	missing.exceptions(std::ios::badbit);
	std::cout << missing.is_open() << ' ' << fs::remove_all("folder") << '\n';
}

static void threads()
{
	std::mutex mutex;
	std::once_flag once;
	int calls = 0;
	for (int i = 0; i < 3; i++)
		std::call_once(once, [&] { calls++; });
	try {
		std::call_once(once, [&] { calls++; });
		std::unique_lock lock(mutex);
		std::unique_lock<std::mutex>().lock();
	} catch (const std::system_error &e) {
		std::cout << "system_error " << (e.code() == std::errc::operation_not_permitted) << '\n';
	}
	of_this_thread.push_back(4);
	std::cout << calls << ' ' << of_this_thread.size() << '\n';
}

int main()
{
	std::cout << first.number << second.number << local_static().number << local_static().number << '\n';
	containers();
	algorithms();
	texts();
	formats();
	values();
	files();
	threads();
	const auto begin = std::chrono::steady_clock::now();
	std::cout << (std::chrono::steady_clock::now() >= begin) << std::endl;
}
