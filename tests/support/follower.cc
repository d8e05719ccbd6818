#include "tests/support/follower.h"

namespace tokenrelay::support {

Follower::Follower(Options options) : options_(std::move(options)), thread_([this] { run(); }) {}

Follower::~Follower() {
  stop();
}

void Follower::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void Follower::run() {
  for (int number = 0; !stopping_ && !finished_; ++number) {
    one_connection(number);
    if (!options_.reconnect) return;
    wait_until([this] { return stopping_ || finished_; }, options_.reconnect_after);
  }
}

void Follower::one_connection(int number) {
  SseConnection connection(options_.port, events_request(options_.stream_id, cursor_, options_.query));
  std::optional<Head> head;
  while (!stopping_ && !head && connection.http().open()) {
    head = connection.head(50ms);
    if (!head && connection.end() != BodyEnd::timeout) break;
  }
  {
    std::lock_guard lock(mutex_);
    statuses_.push_back(head ? head->status : 0);
  }
  if (!head) return;
  if (head->status != 200) {
    finished_ = head->status == 204;
    if (!finished_) stopping_ = true;  // a real EventSource gives up here for good
    return;
  }
  bool done = false;
  while (!stopping_) {
    auto event = connection.next(50ms);
    if (!event && connection.end() == BodyEnd::timeout) continue;
    if (!event) break;
    event->connection = number;
    if (event->id) cursor_ = *event->id;
    done = event->name == "done";
    if (event->name == "message") text_bytes_ += event->json().value("delta", "").size();
    std::lock_guard lock(mutex_);
    events_.push_back(std::move(*event));
  }
  std::lock_guard lock(mutex_);
  ends_.push_back(connection.end());
  for (const auto& p : connection.problems()) problems_.push_back(p);
  if (done && connection.end() == BodyEnd::clean) finished_ = true;
}

std::vector<SseEvent> Follower::events() const {
  std::lock_guard lock(mutex_);
  return events_;
}
std::vector<std::string> Follower::problems() const {
  std::lock_guard lock(mutex_);
  return problems_;
}
std::vector<int> Follower::statuses() const {
  std::lock_guard lock(mutex_);
  return statuses_;
}
std::vector<BodyEnd> Follower::ends() const {
  std::lock_guard lock(mutex_);
  return ends_;
}

bool Follower::wait_finished(Deadline deadline) const {
  return wait_until([this] { return finished(); }, deadline);
}
bool Follower::wait_text(size_t bytes, Deadline deadline) const {
  return wait_until([this, bytes] { return text_bytes_ >= bytes; }, deadline);
}

}  // namespace tokenrelay::support
