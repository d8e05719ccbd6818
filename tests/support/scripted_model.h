// ScriptedModel: an OpenAI-compatible chat server whose every call is played by a function of the test's, on a thread
// of its own. The test and the script talk to each other while the call runs (release(), wait_released()), which is
// what end-to-end tests need: "send this, wait until every reader has it, then cut".
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/http_connection.h"

namespace tokenrelay::support {

class ScriptedModel {
 public:
  struct Seen {        // what the server knows of one call
    std::string head;  // the request's head, as it came
    Json request;
    TimePoint at{};
    std::optional<TimePoint> peer_closed;  // when a script that waited saw the relay close
  };

  class Call {
   public:
    Call(ScriptedModel& server, int fd, int number, Json request)
        : server_(server), fd_(fd), number_(number), request_(std::move(request)) {}

    int number() const { return number_; }  // 0, 1, 2 … over the server's life
    const Json& request() const { return request_; }
    std::string prompt() const;  // the last message's content

    bool head(int status = 200, const std::string& content_type = "text/event-stream", const Fields& more = {});
    bool send(std::string_view bytes);  // as one chunk of the chunked body; sends the head first if it was not
    bool send_split(std::string_view bytes, size_t piece);  // in TCP writes of so many bytes, within one chunk each
    bool text(std::string_view delta);                      // a chat chunk; its time is kept: see sent()
    bool chunk(const Json& delta, const Json& finish_reason = nullptr, const Json& usage = nullptr);
    void finish(const std::string& reason = "stop");  // finish chunk, usage chunk, [DONE], clean end
    void end();                                       // the last chunk
    void close_early();                               // FIN without the last chunk
    void cut();                                       // RST
    void refuse(int status, const std::string& body, const Fields& more = {});  // a whole JSON answer
    bool wait_released();                 // false: the relay closed, or the server is going away
    bool wait_closed(Deadline deadline);  // until the relay closes the connection
    bool pause(milliseconds time);        // false: as wait_released
    bool ended() const { return ended_; }
    bool closed() const { return closed_; }

   private:
    bool raw(std::string_view bytes);
    bool peer_is_gone();
    ScriptedModel& server_;
    int fd_, number_;
    Json request_;
    bool head_sent_ = false, ended_ = false, closed_ = false;
  };

  using Script = std::function<void(Call&)>;
  explicit ScriptedModel(Script script);
  ~ScriptedModel();

  uint16_t port() const { return port_; }
  std::string base_url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }
  std::string upstream() const { return "openai=" + base_url(); }
  void release(int times = 1);  // lets so many wait_released() pass
  size_t calls() const;
  Seen call(size_t number) const;
  bool wait_calls(size_t count, Deadline deadline = 10s) const;
  size_t open_connections() const { return open_; }
  // Each text delta and when its write began, in order, over all calls.
  std::vector<std::pair<std::string, TimePoint>> sent() const;

 private:
  void accept_loop();
  void serve(int fd);
  int read_request(int fd, std::string& buffer, Json& body, std::string& head);

  Script script_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<size_t> open_{0};
  mutable std::mutex mutex_;
  std::condition_variable released_;
  int releases_ = 0;
  std::vector<Seen> seen_;
  std::vector<std::pair<std::string, TimePoint>> sent_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace tokenrelay::support
