// Makes entries of every kind that a shell of busybox cannot make: IN-USERS DIRECTORY
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

static void must(int result, const char *what) {
  if (result >= 0) return;
  perror(what);
  exit(1);
}

static void put(uint8_t *at, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) at[i] = (uint8_t)(value >> (8 * i));
}

struct acl_row { uint16_t tag, perm; uint32_t id; };

// The form of posix_acl_xattr.h.
static void set_list(const char *path, const char *name) {
  const struct acl_row rows[] = {{1, 7, ~0u}, {2, 6, 1234}, {4, 5, ~0u}, {8, 4, 4321}, {16, 7, ~0u}, {32, 0, ~0u}};
  uint8_t value[4 + 8 * 6];
  put(value, 2, 4);
  for (int i = 0; i < 6; ++i) {
    put(value + 4 + 8 * i, rows[i].tag, 2);
    put(value + 6 + 8 * i, rows[i].perm, 2);
    put(value + 8 + 8 * i, rows[i].id, 4);
  }
  must(setxattr(path, name, value, sizeof value, 0), name);
}

int main(int count, char **words) {
  must(count == 2 ? chdir(words[1]) : -1, "directory");
  must(mkdir("lists", 0750), "lists");
  set_list("lists", "system.posix_acl_access");
  set_list("lists", "system.posix_acl_default");
  must(mkdir("lists/below", 0777), "lists/below");
  must(open("lists/file", O_CREAT | O_WRONLY, 0666), "lists/file");
  must(open("program", O_CREAT | O_WRONLY, 0755), "program");
  const uint32_t capability[5] = {VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE, 1u << CAP_NET_BIND_SERVICE, 0, 0, 0};
  must(setxattr("program", "security.capability", capability, sizeof capability, 0), "security.capability");
  must(setxattr("program", "user.note", "a", 1, 0), "user.note");
  const int nameless = open(".", O_TMPFILE | O_RDWR, 0640);
  must(nameless, "O_TMPFILE");
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", nameless);
  must(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), "named");
  must(fchown(nameless, 77, 88), "named");
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
  must(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address), "socket");
  return 0;
}
