// Resolver: names to addresses by getaddrinfo, as the system is configured (hosts file, nsswitch, search domains), on
// threads of its own: the system's resolver may hang for as long as it likes, and no call here waits for it.
//
// Bounds: threads_max look-ups at a time, one a name however many ask; names_max names that wait; an answer serves
// others for 60 s. A name that hangs keeps its thread until the system gives up; who asked has its own limit of time.
// Threads: the loop's. Ownership: who asked holds the look-up. The threads share the queue alone, and a resolver
// that has gone is told of nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tokenrelay::transport {
class Loop;
}

namespace tokenrelay::client {

struct Addresses {
  std::vector<std::string> found;  // numeric, in the system's order (RFC 6724)
  std::string fault;               // why there are none
};

class Resolver {
 public:
  static constexpr size_t threads_max = 8;
  static constexpr size_t names_max = 256;
  static constexpr int64_t kept_ms = 60'000;

  using Done = std::function<void(const Addresses&)>;
  using System = std::function<Addresses(const std::string& name)>;  // called on a thread; may block

  explicit Resolver(transport::Loop& loop, System system = ask_the_system);
  ~Resolver();
  Resolver(const Resolver&) = delete;

  using Lookup = std::shared_ptr<Done>;  // letting go of it forgets it

  // `done` is called once, never before this returns; it may let go of the look-up.
  Lookup find(const std::string& name, Done done);

  static Addresses ask_the_system(const std::string& name);

 private:
  struct Queue;
  struct Name {
    std::vector<std::weak_ptr<Done>> asking;
    Addresses answer;
    int64_t until_ms = 0;  // when the answer is too old
    bool under_way = false;
  };
  void begin(const std::string& name);
  void answer_soon(const Lookup& lookup, Addresses answer);
  void answered(const std::string& name, const Addresses& answer);
  void drop_old(int64_t now_ms);

  transport::Loop& loop_;
  const std::shared_ptr<Queue> queue_;
  std::map<std::string, Name> names_;
};

// Nothing to look up: a numeric address, or "localhost" (RFC 6761).
bool needs_no_lookup(const std::string& host);

}  // namespace tokenrelay::client
