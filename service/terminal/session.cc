#include "service/terminal/session.h"

#include <httplib.h>
#include <sys/random.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "service/json/parse.h"

namespace tokenrelay {
namespace {

constexpr int64_t first_backoff_ms = 200, longest_backoff_ms = 5'000;
constexpr int create_attempts = 5;
constexpr int silence_s = 40;  // heartbeats come at least every 15 s
constexpr size_t largest_answer = 1 << 20;

int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

std::string random_key() {
  unsigned char bytes[16];
  if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) throw std::runtime_error("getrandom");
  std::string key = "chat-";
  for (const unsigned char byte : bytes) {
    key += "0123456789abcdef"[byte >> 4];
    key += "0123456789abcdef"[byte & 15];
  }
  return key;
}

// The id goes into paths, so only the documented form is accepted.
bool is_stream_id(const std::string& id) {
  return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
  });
}

int64_t seconds_of(const std::string& retry_after) {
  int64_t seconds = 1;
  std::from_chars(retry_after.data(), retry_after.data() + retry_after.size(), seconds);
  return std::clamp<int64_t>(seconds, 1, 30);
}

}  // namespace

ChatSession::ChatSession(const ChatOptions& options, std::ostream& out, std::ostream& err)
    : options_(options),
      printer_(options, out, err),
      events_([this](const ChatEvents::Event& event) {
        last_event_at_ms_ = now_ms();
        printer_.event(event);
      }),
      url_(parse_http_url(options.server).value()),
      key_(random_key()) {}

ChatSession::~ChatSession() = default;

std::unique_ptr<httplib::Client> ChatSession::client(int read_timeout_s) const {
  const std::string host = url_.host.find(':') == std::string::npos ? url_.host : "[" + url_.host + "]";
  auto made =
      std::make_unique<httplib::Client>((url_.https ? "https://" : "http://") + host + ":" + std::to_string(url_.port));
#ifdef CPPHTTPLIB_OPENSSL_SUPPORT
  if (!options_.ca.empty()) made->set_ca_cert_path(options_.ca);
#endif
  made->set_connection_timeout(5);
  made->set_read_timeout(read_timeout_s);
  made->set_write_timeout(10);
  made->set_tcp_nodelay(true);
  return made;
}

int ChatSession::run() {
#ifndef CPPHTTPLIB_OPENSSL_SUPPORT
  if (url_.https) {
    printer_.notice("this build has no TLS: only http:// servers are supported");
    return 1;
  }
#endif
  const int status = create() ? read() : 1;
  std::lock_guard lock(mutex_);
  finished_ = true;
  if (steering_ != nullptr) steering_->stop();
  changed_.notify_all();
  return cancelled_ && !printer_.ended() ? 0 : status;
}

bool ChatSession::wait(int64_t ms) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return cancelled_; });
}

bool ChatSession::create() {
  json::Value body = {{"prompt", options_.prompt}};
  if (!options_.model.empty()) body["model"] = options_.model;
  const auto http = client(30);
  for (int attempt = 1; attempt <= create_attempts; ++attempt) {
    create_retry_ms_ = 0;
    {
      std::lock_guard lock(mutex_);
      if (cancelled_) return false;
      reading_ = http.get();
    }
    const auto answer =
        http->Post((url_.path + "/v1/streams").c_str(), {{"Idempotency-Key", key_}, {"Accept", "application/json"}},
                   json::dump(body), "application/json");
    {
      std::lock_guard lock(mutex_);
      reading_ = nullptr;
      if (cancelled_ && !answer) return false;
    }
    if (answer && created(answer->status, answer->body, answer->get_header_value("Retry-After"))) return true;
    if (answer && create_retry_ms_ == 0) return false;
    if (!answer && attempt == 1 && answer.error() == httplib::Error::Connection) {
      printer_.notice("cannot reach " + options_.server + ": is the relay running there? (tokenrelay serve)");
      return false;
    }
    if (!wait(std::max(create_retry_ms_, first_backoff_ms << attempt))) return false;
  }
  printer_.notice("the relay at " + options_.server + " does not accept the request");
  return false;
}

// False with create_retry_ms_ set: try once more after that time. The key prevents a second generation.
bool ChatSession::created(int status, const std::string& body, const std::string& retry_after) {
  if (status == 503 || status == 429) {
    tell_problem(status, body);
    create_retry_ms_ = seconds_of(retry_after) * 1000;
    return false;
  }
  const auto data = json::parse(body.substr(0, largest_answer));
  const std::string id = data ? json::word(*data, "id") : "";
  if ((status == 200 || status == 201) && is_stream_id(id)) {
    std::lock_guard lock(mutex_);
    id_ = id;
    changed_.notify_all();
    return true;
  }
  tell_problem(status, body);
  return false;
}

void ChatSession::tell_problem(int status, const std::string& body) {
  const auto problem = json::parse(body.substr(0, largest_answer));
  std::string words = "the server answered " + std::to_string(status);
  if (problem) {
    const std::string code = json::word(*problem, "code"), detail = json::word(*problem, "detail");
    if (!code.empty()) words += " " + code;
    if (!detail.empty()) words += ": " + detail;
    if (const std::string id = json::word(*problem, "request_id"); !id.empty()) words += " (request " + id + ")";
  }
  printer_.notice(words);
}

int ChatSession::read() {
  int64_t backoff_ms = first_backoff_ms;
  last_event_at_ms_ = now_ms();
  while (true) {
    const int64_t seen_before = last_event_at_ms_;
    const Attempt attempt = read_once();
    if (attempt == Attempt::ended) return printer_.exit_status();
    if (attempt == Attempt::final) return 1;
    {
      std::lock_guard lock(mutex_);
      if (cancelled_) break;
    }
    if (last_event_at_ms_ != seen_before) backoff_ms = first_backoff_ms;
    if (now_ms() - last_event_at_ms_ > options_.give_up_ms) {
      printer_.end_line();
      printer_.notice("giving up; the answer is kept as stream " + id_);
      return 1;
    }
    if (!wait_before_retry(backoff_ms)) break;
  }
  printer_.end_line();
  return 0;
}

bool ChatSession::wait_before_retry(int64_t& backoff_ms) {
  const std::string& last = events_.last_id();
  printer_.notice("connection lost, resuming " + (last.empty() ? std::string("from the start") : "after " + last));
  const int64_t asked = std::min<int64_t>(events_.retry_ms().value_or(0), 30'000);
  const bool go_on = wait(std::max(backoff_ms, asked));
  backoff_ms = std::min(backoff_ms * 2, longest_backoff_ms);
  return go_on;
}

ChatSession::Attempt ChatSession::read_once() {
  const auto http = client(silence_s);
  {
    std::lock_guard lock(mutex_);
    if (cancelled_) return Attempt::lost;
    reading_ = http.get();
  }
  httplib::Headers headers = {{"Accept", "text/event-stream"}, {"Cache-Control", "no-store"}};
  if (!events_.last_id().empty()) headers.emplace("Last-Event-ID", events_.last_id());
  events_.reconnected();
  int status = 0;
  std::string other_body;
  bool sane = true;
  const auto answer = http->Get((url_.path + "/v1/streams/" + id_ + "/events").c_str(), headers,
                                [&](const httplib::Response& head) {
                                  status = head.status;
                                  return true;
                                },
                                [&](const char* data, size_t size) {
                                  if (status == 200) sane = events_.feed({data, size});
                                  if (status != 200 && other_body.size() < largest_answer)
                                    other_body.append(data, size);
                                  return sane && !printer_.ended();
                                });
  {
    std::lock_guard lock(mutex_);
    reading_ = nullptr;
  }
  if (printer_.ended()) return Attempt::ended;
  if (!sane) {
    printer_.end_line();
    printer_.notice("the server sent an event that is too long");
    return Attempt::final;
  }
  return answer_of(status, other_body);
}

ChatSession::Attempt ChatSession::answer_of(int status, const std::string& body) {
  const bool worth_another_try = status == 0 || status == 200 || status == 429 || status >= 500;
  if (worth_another_try) return Attempt::lost;
  printer_.end_line();
  if (status == 204) {
    printer_.notice("the stream has ended");
  } else {
    tell_problem(status, body);
  }
  return Attempt::final;
}

bool ChatSession::tell_server_to_cancel() {
  std::string id;
  {
    std::lock_guard lock(mutex_);
    id = id_;
  }
  if (id.empty()) return false;
  const auto http = client(3);
  const auto answer = http->Post((url_.path + "/v1/streams/" + id + "/cancel").c_str(), "", "application/json");
  if (answer && answer->status == 200) {
    tell_cancelled(answer->body);
    return true;
  }
  if (answer)  // a server without the command (404, 405): just leave
    tell_problem(answer->status, answer->body);
  else
    printer_.notice("the relay could not be reached; the answer continues there as stream " + id);
  return false;
}

void ChatSession::tell_cancelled(const std::string& body) {
  const auto answer = json::parse(body.substr(0, largest_answer));
  std::string words = "the relay answers: " + (answer ? json::word(*answer, "status") : "");
  const auto number = [](const json::Value& object, const char* member) {
    return object.is_object() && object.contains(member) && object[member].is_number() ? json::dump(object[member])
                                                                                       : "";
  };
  const std::string took = answer ? number(*answer, "upstream_closed_ms") : "";
  if (!took.empty()) words += ", the model's connection closed in " + took + " ms";
  if (answer && answer->is_object() && answer->contains("usage")) {
    const auto& usage = (*answer)["usage"];
    const std::string in = number(usage, "input_tokens"), out = number(usage, "output_tokens");
    if (!out.empty()) words += "; tokens: " + in + " in, " + out + " out (" + json::word(usage, "source") + ")";
  }
  printer_.notice(words);
}

void ChatSession::steer(std::string content) {
  const auto http = client(10);
  std::string id;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !id_.empty() || cancelled_ || finished_; });
    if (cancelled_ || finished_) return;
    id = id_;
    steering_ = http.get();
  }
  const auto answer = http->Post((url_.path + "/v1/streams/" + id + "/steer").c_str(),
                                 json::dump(json::Value{{"content", std::move(content)}}), "application/json");
  std::unique_lock lock(mutex_);
  steering_ = nullptr;
  if (finished_) return;
  lock.unlock();
  if (!answer) return printer_.notice("the steer did not reach the relay");
  if (answer->status != 202) tell_problem(answer->status, answer->body);
}

void ChatSession::cancel() {
  {
    std::lock_guard lock(mutex_);
    cancelled_ = true;
    changed_.notify_all();
  }
  const bool told = tell_server_to_cancel();
  std::unique_lock lock(mutex_);
  const auto over = [this] { return finished_; };
  if (told && changed_.wait_for(lock, std::chrono::seconds(3), over)) return;  // `done` came
  while (!finished_) {
    if (reading_ != nullptr) reading_->stop();
    changed_.wait_for(lock, std::chrono::milliseconds(50), over);
  }
}

}  // namespace tokenrelay
