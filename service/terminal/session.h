// One chat: the POST that creates the stream, the reading of its events over as many connections as needed, the cancel
// and the steers. Creating and reading run on one thread; cancel() is called once from a second, steer() from a third.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "service/config/address.h"
#include "service/terminal/chat.h"
#include "service/terminal/events.h"
#include "service/terminal/printer.h"

namespace httplib {
class Client;
}

namespace tokenrelay {

class ChatSession {
 public:
  ChatSession(const ChatOptions& options, std::ostream& out, std::ostream& err);
  ~ChatSession();

  int run();
  void cancel();
  void steer(std::string content);  // waits until there is a stream to steer

 private:
  enum class Attempt { ended, lost, final };  // final: a retry would not help, and the user has been told

  bool create();
  bool created(int status, const std::string& body, const std::string& retry_after);
  int read();
  Attempt read_once();
  Attempt answer_of(int status, const std::string& body);
  bool wait_before_retry(int64_t& backoff_ms);
  bool wait(int64_t ms);  // false: it was cancelled
  void tell_problem(int status, const std::string& body);
  std::unique_ptr<httplib::Client> client(int read_timeout_s) const;
  bool tell_server_to_cancel();
  void tell_cancelled(const std::string& body);

  const ChatOptions& options_;
  ChatPrinter printer_;
  ChatEvents events_;
  const HttpUrl url_;
  std::string key_;
  int64_t last_event_at_ms_ = 0, create_retry_ms_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::string id_;  // guarded by mutex_, like the members below
  bool cancelled_ = false, finished_ = false;
  httplib::Client* reading_ = nullptr;   // the client whose get() is running
  httplib::Client* steering_ = nullptr;  // the one whose post() is
};

}  // namespace tokenrelay
