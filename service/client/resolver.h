// Resolver: looks up names with getaddrinfo, as the system is configured (hosts file, nsswitch, search domains), on
// separate threads: getaddrinfo may hang for a long time, and no call here waits for it.
//
// Bounds: threads_max look-ups at a time, one for each name however many callers ask; names_max names; an answer is
// reused for 60 s. A name that hangs keeps its thread until the system gives up; callers have their own time limit.
// Threads: the loop's. Ownership: the caller holds the look-up. The threads share only the queue, and do not call a
// resolver that is destroyed.
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
  std::string fault;               // the reason, if none were found
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

  using Lookup = std::shared_ptr<Done>;  // once released, `done` is not called

  // `done` is called once, never before this returns; it may release the look-up.
  Lookup find(const std::string& name, Done done);

  static Addresses ask_the_system(const std::string& name);

 private:
  struct Queue;
  struct Name {
    std::vector<std::weak_ptr<Done>> asking;
    Addresses answer;
    int64_t until_ms = 0;  // the answer's expiry
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

// A numeric address, or "localhost" (RFC 6761).
bool needs_no_lookup(const std::string& host);

}  // namespace tokenrelay::client
