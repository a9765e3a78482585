#include "tests/command.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <sstream>
#include <thread>

#include "core/base/error.h"

namespace latent {
namespace {

namespace fs = std::filesystem;

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

/// Ours, with the changes.
std::vector<std::string> environment_with(const Environment& changes) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry; ++entry) {
    const std::string text = *entry;
    if (!changes.contains(text.substr(0, text.find('=')))) all.push_back(text);
  }
  for (const auto& [name, value] : changes) all.push_back(name + "=" + value);
  return all;
}

}  // namespace

Process::Process(const fs::path& folder, const std::vector<std::string>& arguments,
                 const Environment& environment) {
  static std::atomic<int> count = 0;
  const std::string number = std::to_string(count++);
  out_ = folder / (".out" + number);
  err_ = folder / (".err" + number);
  std::vector<std::string> words{fs::absolute(LATENT_BINARY).string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  Environment changes{{"OMP_WAIT_POLICY", "passive"},
                      {"LATENT_DATA", (folder / "no-data").string()}};
  for (const auto& [name, value] : environment) changes[name] = value;
  std::vector<std::string> variables = environment_with(changes);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const auto& [fd, file] : {std::pair{1, out_}, std::pair{2, err_}})
    posix_spawn_file_actions_addopen(&actions, fd, file.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                     0644);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  const int error = posix_spawn(&pid_, words[0].c_str(), &actions, nullptr, pointers(words).data(),
                                pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error)
    throw std::runtime_error(cat(words[0], " does not start: is the target latent built?"));
}

Process::~Process() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, &status_, 0);
}

bool Process::running() {
  if (pid_ >= 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = -1;
  return pid_ >= 0;
}

void Process::signal(int number) {
  if (running()) ::kill(pid_, number);
}

Output Process::wait() {
  if (pid_ >= 0) ::waitpid(pid_, &status_, 0);
  pid_ = -1;
  const int code = WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_);
  return {code, bytes_of(out_), bytes_of(err_)};
}

void Process::pause() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream bytes;
  if (in) bytes << in.rdbuf();
  return bytes.str();
}

std::string TinyExperiment::yaml() const {
  return cat("name: ", name, "\ndevice: ", device, "\ndata: ", data, "\nmodel: ", model,
             "\ntrain: ", train, "\n", rest);
}

Output CommandTest::latent(const std::vector<std::string>& arguments,
                           const Environment& environment) {
  return Process(folder_.path(), arguments, environment).wait();
}

Output CommandTest::run(const std::string& file, std::vector<std::string> arguments,
                        const Environment& environment) {
  arguments.insert(arguments.begin(), {"run", file});
  Output output = latent(arguments, environment);
  EXPECT_EQ(output.code, 0) << output.out << output.err;
  return output;
}

bool CommandTest::has_gpu() {
  return latent({"info", "devices"}).out.find("cuda") != std::string::npos;
}

void CommandTest::write_text(const std::string& file, const std::string& text) const {
  fs::create_directories(at(file).parent_path());
  std::ofstream(at(file), std::ios::binary) << text;
}

void expect_refused(const Output& output, const std::vector<std::string>& parts) {
  EXPECT_EQ(output.code, 2) << output.out << output.err;
  EXPECT_TRUE(output.err.starts_with("error: ")) << output.err;
  EXPECT_EQ(std::ranges::count(output.err, '\n'), 1) << output.err;
  for (const std::string& part : parts)
    EXPECT_NE(output.err.find(part), std::string::npos) << output.err << "lacks: " << part;
}

}  // namespace latent
