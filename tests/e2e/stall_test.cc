// What stands still outside may not stand still inside: the system's resolver, the reader of the log.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "tests/support/catch.h"
#include "tests/support/relay.h"

using namespace tokenrelay::support;

namespace {

// A pipe's reading end that nobody reads until asked.
class Pipe {
 public:
  explicit Pipe(std::filesystem::path path) : path_(std::move(path)) {
    if (::mkfifo(path_.c_str(), 0600) != 0) throw std::runtime_error("mkfifo failed");
    descriptor_ = ::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  }
  ~Pipe() { ::close(descriptor_); }
  Pipe(const Pipe&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // Reads until `needle` has come.
  bool read_until(const std::string& needle, Deadline deadline) {
    return wait_until(
        [&] {
          char bytes[64 << 10];
          const ssize_t got = ::read(descriptor_, bytes, sizeof bytes);
          if (got > 0) text_.append(bytes, static_cast<size_t>(got));
          return text_.find(needle) != std::string::npos;
        },
        deadline, 1ms);
  }

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::string text_;
};

}  // namespace

TEST_CASE("a look-up that hangs holds up nobody, and a cancel ends it at once", "[stall]") {
  Relay relay({.upstream = "openai=http://model.slow/v1", .fault_injection = true});
  write_text(relay.fault_dir() / "lookup_ms", "8000");
  const std::string id = relay.create();
  relay.create();
  std::this_thread::sleep_for(200ms);  // so that the look-up is under way; the test holds without it
  const auto began = Clock::now();
  const auto cancelled = relay.post("/v1/streams/" + id + "/cancel", Json::object());
  CHECK(cancelled.status == 200);
  CHECK(cancelled.json().at("status") == "cancelled");
  CHECK(relay.get("/healthz").status == 200);
  CHECK(ms_since(began) < 2'000);
  relay.process().signal(SIGTERM);  // the other one is waited for; a second signal ends that
  REQUIRE(wait_until([&] { return relay.get("/readyz").status == 503; }, 5s));
  relay.process().signal(SIGTERM);
  CHECK(relay.process().wait(4s) == 1);
}

TEST_CASE("a log that nobody reads costs lines, never the relay", "[stall]") {
  TempDir dir;
  Pipe pipe(dir.path() / "log");
  Relay relay({.stderr_file = pipe.path()});
  HttpConnection client(relay.port());
  const std::string long_path = "/" + std::string(900, 'a');
  for (int i = 0; i < 2'000; ++i) {
    REQUIRE(client.send({.target = long_path}));
    const auto head = client.read_head(5s);
    REQUIRE(head);
    REQUIRE(head->status == 404);
    client.read_body();
  }
  const double dropped = relay.metric("tokenrelay_log_lines_dropped_total");
  CHECK(dropped > 100);
  SECTION("when it is read again, the log says how many were lost, and goes on") {
    CHECK(pipe.read_until(" log lines were dropped", 5s));
    relay.get("/read-again");
    CHECK(pipe.read_until("/read-again", 5s));
    CHECK(relay.metric("tokenrelay_log_lines_dropped_total") == dropped);
    CHECK(relay.stop(10s) == 0);
    CHECK(pipe.read_until("drained", 1s));
  }
  SECTION("while it is not, the relay ends all the same") {
    CHECK(relay.stop(10s) == 0);
  }
}
