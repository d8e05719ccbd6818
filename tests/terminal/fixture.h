// A relay that plays a script, for the tests of the terminal client.
#pragma once

#include <httplib.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <sstream>
#include <thread>
#include <vector>

#include "service/terminal/chat.h"
#include "tests/support/catch.h"

namespace tokenrelay {

// A relay with a script: the n-th GET of events answers with the n-th piece and is then cut, unless it holds `done`.
struct ScriptedRelay {
  httplib::Server server;
  std::thread thread;
  std::vector<std::string> pieces;
  std::mutex mutex;
  std::vector<std::string> cursors, keys, bodies;
  std::atomic<int> reads{0}, creates{0}, cancels{0}, steers{0};
  std::atomic<bool> hold{false};  // a piece without `done` stays open
  std::function<void(int, httplib::Response&)> on_create;
  std::function<void(httplib::Response&)> on_cancel, on_steer;
  int port = 0;

  ScriptedRelay() {
    server.Post("/v1/streams",
                [this](const httplib::Request& request, httplib::Response& response) { create(request, response); });
    server.Get("/v1/streams/strm_1/events",
               [this](const httplib::Request& request, httplib::Response& response) { events(request, response); });
    server.Post("/v1/streams/strm_1/cancel", [this](const httplib::Request&, httplib::Response& response) {
      ++cancels;
      response.status = 404;
      if (on_cancel) on_cancel(response);
    });
    server.Post("/v1/streams/strm_1/steer", [this](const httplib::Request& request, httplib::Response& response) {
      {
        std::lock_guard lock(mutex);
        bodies.push_back(request.body);
      }
      response.status = 202;
      response.set_content("{\"event_id\":\"r-3\"}", "application/json");
      if (on_steer) on_steer(response);
      ++steers;
    });
    port = server.bind_to_any_port("127.0.0.1");
    thread = std::thread([this] { server.listen_after_bind(); });
    while (!server.is_running()) std::this_thread::yield();
  }

  ~ScriptedRelay() {
    hold = false;
    server.stop();
    thread.join();
  }

  void create(const httplib::Request& request, httplib::Response& response) {
    {
      std::lock_guard lock(mutex);
      keys.push_back(request.get_header_value("Idempotency-Key"));
      bodies.push_back(request.body);
    }
    response.status = 201;
    response.set_content("{\"id\":\"strm_1\",\"status\":\"queued\"}", "application/json");
    if (on_create) on_create(creates, response);
    ++creates;
  }

  void events(const httplib::Request& request, httplib::Response& response) {
    const size_t number = static_cast<size_t>(reads++);
    {
      std::lock_guard lock(mutex);
      cursors.push_back(request.get_header_value("Last-Event-ID"));
    }
    const std::string piece = number < pieces.size() ? pieces[number] : "";
    const bool whole = piece.find("event: done") != std::string::npos;
    response.set_chunked_content_provider("text/event-stream",
                                          [this, piece, whole](size_t offset, httplib::DataSink& sink) {
                                            if (offset == 0 && !piece.empty())
                                              return sink.write(piece.data(), piece.size());
                                            while (hold && !whole && sink.is_writable())
                                              std::this_thread::sleep_for(std::chrono::milliseconds(5));
                                            if (!whole) return false;  // ends the connection without the last chunk
                                            sink.done();
                                            return true;
                                          });
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port); }
};

struct Outcome {
  int status;
  std::string out, err;
};

inline Outcome chat(const std::string& server, ChatOptions options = {}) {
  options.server = server;
  if (options.prompt.empty()) options.prompt = "hi \"there\"";
  std::ostringstream out, err;
  const int status = run_chat(options, out, err);
  return {status, out.str(), err.str()};
}

inline std::string event(const std::string& id, const std::string& type, const std::string& data) {
  return "id: r-" + id + "\n" + (type.empty() ? "" : "event: " + type + "\n") + "data: " + data + "\n\n";
}
inline std::string delta(const std::string& id, const std::string& text) {
  return event(id, "", "{\"delta\":\"" + text + "\"}");
}
inline std::string resumed(const std::string& verdict) {
  return "retry: 10\nevent: resumed\ndata: {\"stream\":\"strm_1\",\"verdict\":\"" + verdict +
         "\",\"status\":\"streaming\"}\n\n";
}
inline const std::string done = event("9", "done", "{\"status\":\"completed\",\"finish_reason\":\"stop\"}");

inline bool has(const std::string& text, const std::string& part) {
  INFO(text);
  const bool there = text.find(part) != std::string::npos;
  CHECK(there);
  return there;
}

}  // namespace tokenrelay
