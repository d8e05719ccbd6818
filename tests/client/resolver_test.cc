#include "service/client/resolver.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "service/transport/loop.h"
#include "tests/support/catch.h"
#include "tests/support/deadline.h"

using namespace tokenrelay;
using namespace std::chrono_literals;
using client::Addresses;
using client::Resolver;

namespace {

// A system's resolver that answers when it is let go. Shared: its threads may outlive the resolver under test.
struct Gate {
  std::mutex mutex;
  std::condition_variable opened;
  bool open = false;
  std::atomic<int> asked{0}, under_way{0};

  Addresses ask(const std::string& name) {
    ++asked;
    ++under_way;
    std::unique_lock lock(mutex);
    opened.wait(lock, [this] { return open; });
    --under_way;
    if (name == "none.example") return {{}, "no such name"};
    return {{"192.0.2.1", "2001:db8::1"}, ""};
  }
  void let_go() {
    const std::lock_guard lock(mutex);
    open = true;
    opened.notify_all();
  }
};

struct Fixture {
  transport::Loop loop;
  std::shared_ptr<Gate> gate = std::make_shared<Gate>();
  Resolver resolver{loop, [gate = gate](const std::string& name) { return gate->ask(name); }};

  ~Fixture() { gate->let_go(); }
  // Runs the loop until `done`, or for five seconds.
  bool run_until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + 5s;
    transport::Timer poll(loop.timers(), [&] {
      if (done() || std::chrono::steady_clock::now() > end) return loop.stop();
      poll.arm(1);
    });
    poll.arm(1);
    loop.run();
    return done();
  }
};

}  // namespace

TEST_CASE("a name is looked up once for all who ask, and the answer is kept") {
  Fixture f;
  std::vector<Addresses> answers;
  const auto take = [&](const Addresses& addresses) { answers.push_back(addresses); };
  const auto first = f.resolver.find("model.example", take), second = f.resolver.find("model.example", take);
  CHECK(answers.empty());
  f.gate->let_go();
  REQUIRE(f.run_until([&] { return answers.size() == 2; }));
  CHECK(answers[0].found == std::vector<std::string>{"192.0.2.1", "2001:db8::1"});
  const auto third = f.resolver.find("model.example", take);
  CHECK(answers.size() == 2);  // never before find() returns
  REQUIRE(f.run_until([&] { return answers.size() == 3; }));
  CHECK(answers[2].found == answers[0].found);
  CHECK(f.gate->asked == 1);
}

TEST_CASE("a failed look-up says why and is not kept") {
  Fixture f;
  f.gate->let_go();
  for (int round = 1; round <= 2; ++round) {
    std::optional<Addresses> answer;
    const auto lookup = f.resolver.find("none.example", [&](const Addresses& addresses) { answer = addresses; });
    REQUIRE(f.run_until([&] { return answer.has_value(); }));
    CHECK(answer->found.empty());
    CHECK(answer->fault == "no such name");
    CHECK(f.gate->asked == round);
  }
}

TEST_CASE("who lets go of a look-up is not told, inside a callback too") {
  Fixture f;
  int told = 0;
  Resolver::Lookup third;
  auto first = f.resolver.find("a.example", [&](const Addresses&) { ++told, third.reset(); });
  auto second = f.resolver.find("a.example", [&](const Addresses&) { told += 10; });
  third = f.resolver.find("a.example", [&](const Addresses&) { told += 100; });
  second.reset();
  f.gate->let_go();
  REQUIRE(f.run_until([&] { return told > 0; }));
  CHECK(told == 1);
}

TEST_CASE("a resolver of the system that hangs holds a bounded number of threads and names") {
  Fixture f;
  std::vector<Resolver::Lookup> lookups;
  int answered = 0;
  std::string fault;
  for (size_t i = 0; i < Resolver::names_max; ++i) {
    lookups.push_back(f.resolver.find("n" + std::to_string(i) + ".example", [&](const Addresses&) { ++answered; }));
  }
  REQUIRE(f.run_until([&] { return f.gate->under_way == static_cast<int>(Resolver::threads_max); }));
  lookups.push_back(f.resolver.find("more.example", [&](const Addresses& addresses) { fault = addresses.fault; }));
  REQUIRE(f.run_until([&] { return !fault.empty(); }));
  CHECK(fault == "too many names are being looked up");
  CHECK(f.gate->asked == static_cast<int>(Resolver::threads_max));
  f.gate->let_go();
  CHECK(f.run_until([&] { return answered == static_cast<int>(Resolver::names_max); }));
}

TEST_CASE("a resolver may go while look-ups hang") {
  const auto gate = std::make_shared<Gate>();
  {
    transport::Loop loop;
    Resolver resolver(loop, [gate](const std::string& name) { return gate->ask(name); });
    const auto lookup = resolver.find("a.example", [](const Addresses&) { FAIL("told of nothing"); });
    REQUIRE(support::wait_until([&] { return gate->under_way == 1; }, 5s));
  }
  gate->let_go();
  CHECK(support::wait_until([&] { return gate->under_way == 0 && gate.use_count() == 1; }, 5s));
}

TEST_CASE("the system is asked, and says what it does not know") {
  const auto none = Resolver::ask_the_system("no-such-name.invalid");
  CHECK(none.found.empty());
  CHECK_FALSE(none.fault.empty());
  CHECK(Resolver::ask_the_system("127.0.0.1").found == std::vector<std::string>{"127.0.0.1"});
}

TEST_CASE("addresses and localhost need no look-up") {
  CHECK(client::needs_no_lookup("127.0.0.1"));
  CHECK(client::needs_no_lookup("::1"));
  CHECK(client::needs_no_lookup("localhost"));
  CHECK(client::needs_no_lookup("a.localhost"));
  CHECK_FALSE(client::needs_no_lookup("localhost.example"));
  CHECK_FALSE(client::needs_no_lookup("1.2.3"));
}
