#include "service/upstream/curl_loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <stdexcept>

namespace tokenrelay::upstream {
namespace {

constexpr long kept_connections = 64;

CURLM* make_multi() {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  CURLM* multi = initialised == CURLE_OK ? curl_multi_init() : nullptr;
  if (!multi) throw std::runtime_error("libcurl does not initialise");
  return multi;
}

int make_epoll() {
  const int descriptor = epoll_create1(EPOLL_CLOEXEC);
  if (descriptor < 0) throw std::runtime_error("no epoll descriptor for the upstream connections");
  return descriptor;
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

std::shared_ptr<CurlLoop> CurlLoop::make(asio::io_context& context, Done done) {
  std::shared_ptr<CurlLoop> loop(new CurlLoop(context, std::move(done)));
  loop->watch();
  return loop;
}

CurlLoop::CurlLoop(asio::io_context& context, Done done)
    : multi_(make_multi()), epoll_(make_epoll()), ready_(context, epoll_), timer_(context), done_(std::move(done)) {
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlLoop::on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlLoop::on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kept_connections);
}

CurlLoop::~CurlLoop() {
  curl_multi_cleanup(multi_);
}

int CurlLoop::on_socket(CURL*, curl_socket_t socket, int what, void* self, void* known) {
  CurlLoop& loop = *static_cast<CurlLoop*>(self);
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(loop.epoll_, EPOLL_CTL_DEL, socket, nullptr);
    return 0;
  }
  epoll_event event{};
  event.events = epoll_events(what);
  event.data.fd = socket;
  // Where this fails, for want of memory, the transfer's timeouts end it. (-1 here would kill the multi handle for
  // good.)
  epoll_ctl(loop.epoll_, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
  if (!known) curl_multi_assign(loop.multi_, socket, self);
  return 0;
}

// libcurl moves its timer several times a transfer, nearly always to later, and arming the loop's costs a system call:
// so an earlier arming stands, and looks at `due_` when it fires.
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

void CurlLoop::watch() {
  ready_.async_wait(asio::posix::stream_descriptor::wait_read,
                    [weak = weak_from_this()](const asio::error_code& error) {
                      const auto alive = weak.lock();
                      if (error || !alive) return;
                      alive->take_ready();
                      alive->watch();
                    });
}

void CurlLoop::take_ready() {
  epoll_event events[256];
  const int count = epoll_wait(epoll_, events, std::size(events), 0);
  for (int i = 0; i < count; ++i) {
    enter([&] {
      int running = 0;
      curl_multi_socket_action(multi_, events[i].data.fd, curl_events(events[i].events), &running);
    });
  }
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
    for (auto& [easy, owner] : std::exchange(to_remove_, {})) remove(easy, std::move(owner));
    for (CURL* easy : std::exchange(to_add_, {})) add(easy);
    while (!to_unpause_.empty()) {
      CURL* const easy = to_unpause_.back();
      to_unpause_.pop_back();
      inside_ = true;
      curl_easy_pause(easy, CURLPAUSE_CONT);  // calls the write callback with what was kept
      inside_ = false;
    }
    int left = 0;
    if (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      busy = true;
      if (message->msg == CURLMSG_DONE && !closed_) done_(message->easy_handle, message->data.result);
    }
  }
  settling_ = false;
}

void CurlLoop::add(CURL* easy) {
  if (inside_) return to_add_.push_back(easy);
  curl_multi_add_handle(multi_, easy);
}

void CurlLoop::remove(CURL* easy, std::shared_ptr<void> owner) {
  erase(to_unpause_, easy);
  if (inside_) {
    to_remove_.emplace_back(easy, std::move(owner));
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

void CurlLoop::close() {
  done_ = nullptr;
}

}  // namespace tokenrelay::upstream
