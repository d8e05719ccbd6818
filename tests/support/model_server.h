// ModelServer: a model's endpoint on the loopback whose every call is answered by a function of the test's, on the
// thread of its connection. The test and the function talk to each other while the call runs (release(),
// wait_released()): "send this, wait until every reader has it, then cut". What needs no talk is a list of steps
// (tests/support/model_script.h), which play() plays.
//
// Threads: one for accepting and one a connection; every method may be called from any thread. The destructor ends
// the calls under way and closes all.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/http_connection.h"
#include "tests/support/model_script.h"

namespace tokenrelay::support {

class ModelServer {
 public:
  struct Seen {                            // what the server knows of one call
    size_t connection = 0;                 // 0, 1, 2 … in the order of accepting
    std::string head, body;                // of the request, as they came
    Json request;                          // the body; discarded if it is not JSON
    TimePoint at{};                        // when the request was whole
    std::optional<TimePoint> peer_closed;  // while the call ran, or after it on the idle connection
  };

  class Call {
   public:
    Call(ModelServer& server, int fd, size_t number, Seen seen)
        : server_(server), fd_(fd), number_(number), seen_(std::move(seen)) {}

    int number() const { return static_cast<int>(number_); }  // 0, 1, 2 … over the server's life
    const Seen& seen() const { return seen_; }
    const Json& request() const { return seen_.request; }
    std::string prompt() const;  // the last message's content

    void play(const Script& script);
    bool raw(std::string_view bytes);  // as they are. This and all that sends: false if the peer has closed
    bool head(int status = 200, const std::string& content_type = "text/event-stream", const Fields& more = {});
    bool send(std::string_view bytes);  // as one chunk of the chunked body; sends the head first if it was not
    bool send_split(std::string_view bytes, size_t piece);  // in chunks of so many bytes, a TCP write each
    bool text(std::string_view delta);                      // a chat chunk; its time is kept: see sent()
    bool chunk(const Json& delta, std::string_view finish_reason = "");
    bool usage(int input_tokens, int output_tokens);
    void finish(std::string_view reason = "stop");  // finish chunk, usage chunk, [DONE], clean end
    void end();                                     // the last chunk
    void close();                                   // FIN
    void cut();                                     // RST
    void refuse(int status, const std::string& body, const Fields& more = {});  // a whole JSON answer
    bool wait_released();                 // false: the peer closed, or the server is going away
    bool wait_closed(Deadline deadline);  // until the peer closes the connection
    bool pause(Deadline until);           // false: as wait_released
    bool ended() const { return ended_; }
    bool closed() const { return closed_; }

   private:
    bool take(const script::Step& step);
    bool peer_is_gone(int within_ms);
    ModelServer& server_;
    const int fd_;
    const size_t number_;
    const Seen seen_;
    bool head_sent_ = false, ended_ = false, closed_ = false;
  };

  // A call that it leaves neither ended nor closed is closed.
  using Answer = std::function<void(Call&)>;
  ModelServer();  // without an answer, a call stalls
  explicit ModelServer(Answer answer) : ModelServer() { this->answer(std::move(answer)); }
  ~ModelServer();
  ModelServer(const ModelServer&) = delete;

  // Answers are used in order, one a call; the last one stays.
  void answer(Answer answer);
  void answer(Script script);
  void release(int times = 1);  // lets so many wait_released() pass
  void refuse_connections();    // from now on, for good

  uint16_t port() const { return port_; }
  std::string base_url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }
  std::string upstream() const { return "openai=" + base_url(); }
  size_t calls() const;
  Seen call(size_t number) const;
  bool wait_calls(size_t count, Deadline deadline = 10s) const;
  std::optional<TimePoint> wait_closed(size_t number, Deadline deadline) const;  // by the peer
  size_t open_connections() const { return open_; }
  size_t connections() const { return accepted_; }  // ever
  uint64_t bytes_sent() const { return bytes_sent_; }
  // Each text delta and when its write began, in order, over all calls.
  std::vector<std::pair<std::string, TimePoint>> sent() const;

 private:
  void accept_all();
  void serve(int fd, size_t connection);
  bool read_request(int fd, std::string& buffer, Seen& seen);
  bool receive(int fd, std::string& buffer);
  Answer next_answer();
  void peer_closed(size_t number);

  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<size_t> open_{0}, accepted_{0};
  std::atomic<uint64_t> bytes_sent_{0};
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::deque<Answer> answers_;
  int releases_ = 0;
  std::vector<Seen> seen_;
  std::vector<std::pair<std::string, TimePoint>> sent_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace tokenrelay::support
