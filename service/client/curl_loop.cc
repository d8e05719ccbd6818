#include "service/client/curl_loop.h"

#include <algorithm>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <stdexcept>

namespace tokenrelay::client {
namespace {

constexpr long kept_connections = 64;

CURLM* make_multi() {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  CURLM* multi = initialised == CURLE_OK ? curl_multi_init() : nullptr;
  if (!multi) throw std::runtime_error("libcurl could not be initialised");
  return multi;
}

uint32_t epoll_events(int what) {
  uint32_t events = 0;
  if (what & CURL_POLL_IN) events |= EPOLLIN;
  if (what & CURL_POLL_OUT) events |= EPOLLOUT;
  return events;
}

int curl_events(uint32_t events) {
  return (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
         (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
}

bool erase(std::vector<CURL*>& list, CURL* easy) {
  const auto found = std::find(list.begin(), list.end(), easy);
  if (found == list.end()) return false;
  list.erase(found);
  return true;
}

}  // namespace

// "+": libcurl may drop these addresses as it drops those that it looked up itself.
CurlList resolve_option(const std::string& host, uint16_t port, const Addresses& addresses, const CurlList& more) {
  std::string line = "+" + host + ':' + std::to_string(port) + ':';
  for (const std::string& address : addresses.found) {
    if (line.back() != ':') line += ',';
    line += address.find(':') == std::string::npos ? address : '[' + address + ']';
  }
  CurlList list(curl_slist_append(nullptr, line.c_str()), &curl_slist_free_all);
  for (const curl_slist* one = more.get(); one; one = one->next) curl_slist_append(list.get(), one->data);
  return list;
}

std::shared_ptr<CurlLoop> CurlLoop::make(asio::io_context& context, std::shared_ptr<Poller> poller) {
  return std::shared_ptr<CurlLoop>(new CurlLoop(context, std::move(poller)));
}

CurlLoop::CurlLoop(asio::io_context& context, std::shared_ptr<Poller> poller)
    : multi_(make_multi()), poller_(std::move(poller)), timer_(context) {
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlLoop::on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlLoop::on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kept_connections);
}

CurlLoop::~CurlLoop() {
  curl_multi_cleanup(multi_);
}

int CurlLoop::on_socket(CURL*, curl_socket_t socket, int what, void* self, void*) {
  CurlLoop& loop = *static_cast<CurlLoop*>(self);
  if (what == CURL_POLL_REMOVE) {
    loop.poller_->forget(socket);
  } else {
    loop.poller_->watch(socket, epoll_events(what), loop);
  }
  return 0;
}

// libcurl moves its timer several times in a transfer, nearly always to later, and arming the loop's timer costs a
// system call: so a timer that is armed for an earlier time is kept, and checks `due_` when it fires.
int CurlLoop::on_timer(CURLM*, long timeout_ms, void* self) {
  CurlLoop& loop = *static_cast<CurlLoop*>(self);
  if (timeout_ms < 0) {
    loop.due_.reset();
  } else {
    loop.due_ = Clock::now() + std::chrono::milliseconds(timeout_ms);
    loop.arm();
  }
  return 0;
}

void CurlLoop::arm() {
  if (armed_for_ && *armed_for_ <= *due_) return;
  armed_for_ = due_;
  const auto fire = [weak = weak_from_this()](const asio::error_code& error) {
    if (const auto alive = weak.lock(); alive && !error) alive->on_due();
  };
  if (*due_ <= Clock::now()) {
    asio::post(timer_.get_executor(), [fire] { fire({}); });  // at once, but not from inside libcurl
  } else {
    timer_.expires_at(*due_);
    timer_.async_wait(fire);
  }
}

void CurlLoop::on_due() {
  armed_for_.reset();
  if (!due_) return;
  if (*due_ > Clock::now()) return arm();
  due_.reset();
  enter([&] {
    int running = 0;
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  });
}

void CurlLoop::on_ready(int descriptor, uint32_t events) {
  enter([&] {
    int running = 0;
    curl_multi_socket_action(multi_, descriptor, curl_events(events), &running);
  });
}

template <class Call>
void CurlLoop::enter(Call&& call) {
  inside_ = true;
  call();
  inside_ = false;
  settle();
}

void CurlLoop::settle() {
  if (settling_) return;
  const auto alive = shared_from_this();
  settling_ = true;
  for (bool busy = true; busy;) {
    busy = !to_remove_.empty() || !to_add_.empty() || !to_unpause_.empty();
    for (auto& [easy, keeps] : std::exchange(to_remove_, {})) remove(easy, std::move(keeps));
    for (CURL* easy : std::exchange(to_add_, {})) curl_multi_add_handle(multi_, easy);
    while (!to_unpause_.empty()) {
      CURL* const easy = to_unpause_.back();
      to_unpause_.pop_back();
      inside_ = true;
      curl_easy_pause(easy, CURLPAUSE_CONT);  // calls the write callback with what was held back
      inside_ = false;
    }
    if (take_completed()) busy = true;
  }
  settling_ = false;
}

bool CurlLoop::take_completed() {
  int left = 0;
  const CURLMsg* const message = curl_multi_info_read(multi_, &left);
  if (!message) return false;
  char* owner = nullptr;
  if (message->msg == CURLMSG_DONE) curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
  if (owner) reinterpret_cast<CurlOwner*>(owner)->completed(message->data.result);
  return true;
}

void CurlLoop::add(CURL* easy, CurlOwner& owner) {
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &owner);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // if it looks up a name after all, never wait for that thread
  if (inside_) return to_add_.push_back(easy);
  curl_multi_add_handle(multi_, easy);
}

void CurlLoop::remove(CURL* easy, std::shared_ptr<void> keeps) {
  curl_easy_setopt(easy, CURLOPT_PRIVATE, nullptr);  // its end may already be among the messages
  erase(to_unpause_, easy);
  if (inside_) {
    to_remove_.emplace_back(easy, std::move(keeps));
    return;
  }
  if (!erase(to_add_, easy)) curl_multi_remove_handle(multi_, easy);
  curl_easy_cleanup(easy);
}

void CurlLoop::unpause(CURL* easy) {
  to_unpause_.push_back(easy);
  asio::post(timer_.get_executor(), [weak = weak_from_this()] {
    if (const auto alive = weak.lock()) alive->settle();
  });
}

}  // namespace tokenrelay::client
