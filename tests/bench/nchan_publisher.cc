#include "tests/bench/nchan_publisher.h"

#include <chrono>

#include "tests/support/fleet_delta.h"
#include "tests/support/socket.h"

namespace tokenrelay::bench {
namespace {

using namespace std::chrono_literals;

bool publish(support::Socket& socket, const std::string& message) {
  std::string answer;
  if (!socket.send_all("POST /pub HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " + std::to_string(message.size()) +
                       "\r\n\r\n" + message))
    return false;
  // Its answer is below a segment and ends with these words' line.
  while (answer.find("last message id:") == answer.npos) {
    if (socket.receive(answer, 10s) != support::Got::bytes) return false;
  }
  return answer.starts_with("HTTP/1.1 20");
}

}  // namespace

NchanPublisher::NchanPublisher(Endpoint to, double per_second, int deltas)
    : thread_([this, to, per_second, deltas] { run(to, per_second, deltas); }) {}

NchanPublisher::~NchanPublisher() {
  stopping_ = true;
  thread_.join();
}

void NchanPublisher::run(Endpoint to, double per_second, int deltas) {
  auto socket = support::Socket::connect(to.port);
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < deltas && !stopping_; ++i) {
    std::this_thread::sleep_until(begun + std::chrono::duration<double>(i / per_second));
    std::string stamp(support::stamp_digits, '0');
    support::write_stamp(stamp.data(), support::monotonic_us());
    failed_ = failed_ || !publish(socket, "{\"delta\":\"" + stamp + "\"}");
    if (failed_) return;
  }
  if (!stopping_) failed_ = !publish(socket, "[DONE]");
}

}  // namespace tokenrelay::bench
