#include "support/helper.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "support/child.h"
#include "support/files.h"

namespace conformance {

void install_helper(const Path& path) { make_file(path, contents(Path("/proc/self/exe")), 0755); }

int execute_helper(const Path& path, const std::vector<std::string>& arguments) {
  std::vector<char*> list;
  std::string program = path.text(), helper = "--helper";
  list.push_back(program.data());
  list.push_back(helper.data());
  std::vector<std::string> copies = arguments;
  for (std::string& argument : copies) list.push_back(argument.data());
  list.push_back(nullptr);
  const Outcome result = in_child([&]() -> long {
    const pid_t child = ::vfork();
    if (child == 0) {
      ::execv(path, list.data());
      ::_exit(errno == EACCES ? 253 : errno == ETXTBSY ? 254 : 255);
    }
    int state = 0;
    if (child < 0 || ::waitpid(child, &state, 0) != child) return -1;
    return WIFEXITED(state) ? WEXITSTATUS(state) : 255;
  });
  return result.error == 0 ? static_cast<int>(result.value) : -1;
}

int run_helper(const std::vector<std::string>& arguments) {
  const std::string name = arguments.empty() ? "" : arguments[0];
  if (name == "exit" && arguments.size() == 2) return std::stoi(arguments[1]);
  if (name == "effective-user") return static_cast<int>(::geteuid() % 256);
  if (name == "effective-group") return static_cast<int>(::getegid() % 256);
  if (name == "wait") {
    char byte = 0;
    while (::read(STDIN_FILENO, &byte, 1) > 0) continue;
    return 0;
  }
  std::fprintf(stderr, "conformance: no helper '%s'\n", name.c_str());
  return 2;
}

}  // namespace conformance
