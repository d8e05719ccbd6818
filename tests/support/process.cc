#include "tests/support/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <stdexcept>

#include "tests/support/temp_dir.h"

extern char** environ;

namespace tokenrelay::support {
namespace {

std::vector<std::string> environment_with(const std::map<std::string, std::string>& extra) {
  std::vector<std::string> all;
  for (char** e = environ; *e != nullptr; ++e) {
    std::string entry = *e;
    if (!extra.contains(entry.substr(0, entry.find('=')))) all.push_back(std::move(entry));
  }
  for (const auto& [name, value] : extra) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (auto& s : strings) out.push_back(s.data());
  out.push_back(nullptr);
  return out;
}

int open_for_append(const std::filesystem::path& file) {
  return open(file.empty() ? "/dev/null" : file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

// Between fork and exec: only what is safe after a fork of a threaded process.
[[noreturn]] void become(char* const* argv, char* const* env, int out, int err, const char* dir, const rlimit* nofile) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  const int null = open("/dev/null", O_RDONLY);
  dup2(null, 0);
  dup2(out, 1);
  dup2(err, 2);
  for (int fd = 3; fd < 1024; ++fd) close(fd);
  if (dir != nullptr && chdir(dir) != 0) _exit(127);
  if (nofile != nullptr && setrlimit(RLIMIT_NOFILE, nofile) != 0) _exit(127);
  execvpe(argv[0], argv, env);
  _exit(127);
}

}  // namespace

Process::Process(ProcessOptions options) {
  auto env = environment_with(options.env);
  auto argv_pointers = pointers(options.argv), env_pointers = pointers(env);
  const int out = open_for_append(options.stdout_file), err = open_for_append(options.stderr_file);
  if (out < 0 || err < 0) throw std::runtime_error("cannot open the child's output files");
  rlimit nofile{};
  if (options.descriptors) nofile = {*options.descriptors, *options.descriptors};
  pid_ = fork();
  if (pid_ == 0) {
    become(argv_pointers.data(), env_pointers.data(), out, err,
           options.work_dir.empty() ? nullptr : options.work_dir.c_str(), options.descriptors ? &nofile : nullptr);
  }
  close(out);
  close(err);
  if (pid_ < 0) throw std::runtime_error("fork failed");
}

Process::~Process() {
  kill_now();
}

void Process::reap(bool block) {
  if (status_ || pid_ <= 0) return;
  int raw = 0;
  if (waitpid(pid_, &raw, block ? 0 : WNOHANG) != pid_) return;
  status_ = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
}

bool Process::running() {
  reap(false);
  return !status_;
}

void Process::signal(int number) {
  if (running()) ::kill(pid_, number);
}

std::optional<int> Process::wait(Deadline deadline) {
  wait_until([this] { return !running(); }, deadline, 2ms);
  return status_;
}

void Process::kill_now() {
  if (!running()) return;
  ::kill(pid_, SIGKILL);
  reap(true);
}

uint64_t Process::rss_kb() const {
  std::ifstream in("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6));
  }
  return 0;
}

uint64_t Process::cpu_ms() const {
  const std::string text = read_text("/proc/" + std::to_string(pid_) + "/stat");
  const auto paren = text.rfind(')');
  if (paren == std::string::npos) return 0;
  std::istringstream fields(text.substr(paren + 2));
  std::string skip;
  uint64_t user = 0, system = 0;
  for (int i = 0; i < 11; ++i) fields >> skip;
  fields >> user >> system;
  return (user + system) * 1000 / static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
}

namespace {
size_t entries_of(const std::string& directory) {
  std::error_code gone;
  size_t count = 0;
  for (std::filesystem::directory_iterator it(directory, gone), end; !gone && it != end; it.increment(gone)) ++count;
  return count;
}
}  // namespace

size_t Process::descriptors() const {
  return entries_of("/proc/" + std::to_string(pid_) + "/fd");
}
size_t Process::threads() const {
  return entries_of("/proc/" + std::to_string(pid_) + "/task");
}

Ran run_program(std::vector<std::string> argv, Deadline deadline, std::map<std::string, std::string> env,
                std::filesystem::path work_dir) {
  TempDir dir;
  Process child({.argv = std::move(argv),
                 .env = std::move(env),
                 .stdout_file = dir / "out",
                 .stderr_file = dir / "err",
                 .work_dir = std::move(work_dir),
                 .descriptors = {}});
  const auto status = child.wait(deadline);
  child.kill_now();
  return {status, read_text(dir / "out"), read_text(dir / "err")};
}

}  // namespace tokenrelay::support
