#include "service/client/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <cassert>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "service/transport/loop.h"

namespace tokenrelay::client {

// Shared with the threads, which may be in a look-up long after the resolver is destroyed.
struct Resolver::Queue {
  explicit Queue(System ask) : system(std::move(ask)) {}

  const System system;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::string> names;
  Resolver* resolver = nullptr;  // null once it is destroyed
  size_t threads = 0, idle = 0;

  static void work(const std::shared_ptr<Queue>& queue);
};

void Resolver::Queue::work(const std::shared_ptr<Queue>& queue) {
  std::unique_lock lock(queue->mutex);
  while (queue->resolver) {
    if (queue->names.empty()) {
      ++queue->idle;
      queue->changed.wait(lock, [&] { return !queue->resolver || !queue->names.empty(); });
      --queue->idle;
      continue;
    }
    const std::string name = std::move(queue->names.front());
    queue->names.pop_front();
    lock.unlock();
    Addresses answer = queue->system(name);
    lock.lock();
    if (!queue->resolver) return;
    queue->resolver->loop_.post([queue, name, answer = std::move(answer)] {
      if (queue->resolver) queue->resolver->answered(name, answer);
    });
  }
}

Resolver::Resolver(transport::Loop& loop, System system)
    : loop_(loop), queue_(std::make_shared<Queue>(std::move(system))) {
  queue_->resolver = this;
}

Resolver::~Resolver() {
  const std::lock_guard lock(queue_->mutex);
  queue_->resolver = nullptr;
  queue_->changed.notify_all();
}

Resolver::Lookup Resolver::find(const std::string& name, Done done) {
  auto lookup = std::make_shared<Done>(std::move(done));
  drop_old(loop_.clock().mono_us() / 1000);
  if (const auto known = names_.find(name); known != names_.end() && !known->second.under_way) {
    answer_soon(lookup, known->second.answer);
    return lookup;
  }
  if (names_.size() >= names_max && !names_.contains(name)) {
    answer_soon(lookup, {{}, "too many names are being looked up"});
    return lookup;
  }
  Name& entry = names_[name];
  entry.asking.push_back(lookup);
  if (!std::exchange(entry.under_way, true)) begin(name);
  return lookup;
}

void Resolver::answer_soon(const Lookup& lookup, Addresses answer) {
  loop_.post([asking = std::weak_ptr(lookup), answer = std::move(answer)] {
    if (const auto done = asking.lock()) (*done)(answer);
  });
}

void Resolver::drop_old(int64_t now_ms) {
  std::erase_if(names_, [now_ms](const auto& one) { return !one.second.under_way && one.second.until_ms <= now_ms; });
}

void Resolver::begin(const std::string& name) {
  const std::lock_guard lock(queue_->mutex);
  queue_->names.push_back(name);
  if (queue_->names.size() > queue_->idle && queue_->threads < threads_max) {
    ++queue_->threads;
    std::thread([queue = queue_] { Queue::work(queue); }).detach();  // joining it could block for ever
  }
  queue_->changed.notify_one();
}

void Resolver::answered(const std::string& name, const Addresses& answer) {
  const auto found = names_.find(name);
  assert(found != names_.end() && found->second.under_way);
  const auto asking = std::move(found->second.asking);
  if (answer.found.empty()) {
    names_.erase(found);  // the next caller asks again
  } else {
    found->second = {{}, answer, loop_.clock().mono_us() / 1000 + kept_ms, false};
  }
  for (const auto& one : asking) {
    if (const auto done = one.lock()) (*done)(answer);
  }
}

Addresses Resolver::ask_the_system(const std::string& name) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int code = ::getaddrinfo(name.c_str(), nullptr, &hints, &list); code != 0) {
    return {{}, ::gai_strerror(code)};
  }
  Addresses out;
  for (const addrinfo* one = list; one && out.found.size() < 16; one = one->ai_next) {
    char text[NI_MAXHOST];
    if (::getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) continue;
    if (std::string_view(text).find('%') == std::string_view::npos) out.found.emplace_back(text);
  }
  ::freeaddrinfo(list);
  if (out.found.empty()) out.fault = "the name has no address";
  return out;
}

bool needs_no_lookup(const std::string& host) {
  in_addr v4{};
  return host.find(':') != std::string::npos || ::inet_pton(AF_INET, host.c_str(), &v4) == 1 || host == "localhost" ||
         host.ends_with(".localhost");
}

}  // namespace tokenrelay::client
