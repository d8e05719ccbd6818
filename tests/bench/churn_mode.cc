// Streams that come and go for minutes: read to the end, dropped by their reader in the middle, created without one,
// and all expired a few seconds later. Does the relay's memory stay where it is?

#include <unistd.h>

#include "tests/bench/client.h"
#include "tests/bench/modes.h"
#include "tests/bench/relay_server.h"
#include "tests/bench/requests.h"
#include "tests/bench/sse_check.h"
#include "tests/support/fake_upstream_fleet.h"

namespace tokenrelay::bench {
namespace {

constexpr int deltas = 30;
constexpr double per_second = 60;
constexpr int visitors = 200;
const char retention_ms[] = "5000";

// One client at a time, which visits in one of four ways and then makes room for the next.
class Visitor final : public ResponseSink {
 public:
  enum class Way { reads, drops, creates, follows };  // follows: creates, then reads

  void visit(Client& client, Endpoint to, Way way) {
    way_ = way;
    body_.clear();
    status_ = 0;
    done_ = following_ = false;
    check_.emplace(Dialect::relay, window_);
    connection_ = client.open(to, create_stream(way == Way::reads || way == Way::drops), *this);
  }
  // Something for its owner to do: its connection is over, or has to be.
  bool over() const { return done_ || (way_ == Way::drops && check_->deltas() > deltas / 3); }
  // "" or what went wrong.
  std::string leave(Client& client) {
    client.close(connection_);
    if (way_ == Way::creates) return status_ == 201 ? "" : "status " + std::to_string(status_);
    return way_ == Way::drops && !done_ ? "" : check_->fault(deltas);
  }
  bool wants_to_follow() const { return way_ == Way::follows && done_ && !following_ && status_ == 201; }
  void follow(Client& client) {
    following_ = true;
    done_ = false;
    client.send(connection_, read_stream(stream_id_in(body_)));
  }

  void on_head(int status, std::string_view head) override {
    status_ = status;
    check_->on_head(status, head);
  }
  void on_body(std::string_view bytes) override {
    const bool json = way_ == Way::creates || (way_ == Way::follows && !following_);
    json ? void(body_ += bytes) : check_->on_body(bytes);
  }
  void on_complete() override {
    done_ = true;
    check_->on_complete();
  }

 private:
  Window window_;
  std::optional<SseCheck> check_;
  std::string body_;
  Client::Connection connection_ = -1;
  Way way_ = Way::reads;
  int status_ = 0;
  bool done_ = false, following_ = false;
};

class Churn {
 public:
  Churn(const RelayServer& server, Report& report) : server_(server), report_(report), visitors_(visitors) {
    for (auto& visitor : visitors_) next(visitor);
  }
  void run_for(double seconds) {
    const int64_t until = support::monotonic_us() + static_cast<int64_t>(seconds * 1e6);
    while (support::monotonic_us() < until) {
      client_.run_for(0.01);
      for (auto& visitor : visitors_) turn(visitor);
    }
  }
  uint64_t visits() const { return visits_; }
  size_t lost() const { return client_.lost(); }

 private:
  void next(Visitor& visitor) { visitor.visit(client_, server_.at(), static_cast<Visitor::Way>(visits_++ % 4)); }
  void turn(Visitor& visitor) {
    if (visitor.wants_to_follow()) return visitor.follow(client_);
    if (!visitor.over()) return;
    if (const auto fault = visitor.leave(client_); !fault.empty()) report_.fault("churn: " + fault);
    next(visitor);
  }

  const RelayServer& server_;
  Report& report_;
  Client client_;
  std::vector<Visitor> visitors_;
  uint64_t visits_ = 0;
};

// Least squares, by minute.
double slope(const Report::Curve& points) {
  double x = 0, y = 0, xx = 0, xy = 0;
  for (const auto& [at, value] : points) {
    x += at;
    y += value;
    xx += at * at;
    xy += at * value;
  }
  const auto n = static_cast<double>(points.size());
  return n < 2 ? 0 : (n * xy - x * y) / (n * xx - x * x);
}

}  // namespace

void run_churn(const Setting& setting, const Load& load, Report& report) {
  support::FakeUpstreamFleet fleet({.deltas = deltas, .per_second = per_second});
  Setting expiring = setting;
  expiring.env.try_emplace("TOKENRELAY_STORAGE_RETENTION_MS", retention_ms);
  const RelayServer server(expiring, {fleet.port()});
  Churn churn(server, report);
  const CpuTimes before = server.cpu();
  Report::Curve rss;  // minutes, MiB
  const double seconds = load.minutes * 60, every = std::max(0.5, seconds / 240);
  const int64_t from = support::monotonic_us();
  for (double at = 0; at < seconds; at = static_cast<double>(support::monotonic_us() - from) / 1e6) {
    churn.run_for(every);
    rss.emplace_back(static_cast<double>(support::monotonic_us() - from) / 6e7,
                     memory_of(server.pid()).rss / (1 << 20));
  }
  const double cpu = cpu_between(before, server.cpu()).total / seconds / 1e4;
  if (churn.lost() > 0) report.fault("churn: " + std::to_string(churn.lost()) + " connections were lost");
  report.draw("churn memory", "relay", rss);
  rss.erase(rss.begin(), rss.begin() + static_cast<ptrdiff_t>(rss.size() / 3));  // until caches and pools are warm
  report.add("churn", std::to_string(load.minutes).substr(0, 4) + " minutes",
             {{"streams", static_cast<double>(churn.visits())},
              {"first MiB", rss.front().second},
              {"last MiB", rss.back().second},
              {"KiB/minute", slope(rss) * 1024},
              {"growth %", 100 * slope(rss) * (rss.back().first - rss.front().first) / rss.front().second},
              {"cpu %", cpu}});
}

}  // namespace tokenrelay::bench
