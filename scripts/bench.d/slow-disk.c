/*
 * A file system of one file, `disk`, whose fsync(2) takes time: a loop device on it is a disk whose flushes do.
 *   slow-disk IMAGE MICROSECONDS [FUSE OPTION…] MOUNTPOINT
 */
#define FUSE_USE_VERSION 35
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int image;
static long flush_microseconds;

static int is_disk(const char *path) { return strcmp(path, "/disk") == 0; }

static int get_attributes(const char *path, struct stat *attributes, struct fuse_file_info *file) {
  (void)file;
  if (strcmp(path, "/") == 0) {
    memset(attributes, 0, sizeof *attributes);
    attributes->st_mode = S_IFDIR | 0700;
    attributes->st_nlink = 2;
    return 0;
  }
  if (!is_disk(path)) return -ENOENT;
  return fstat(image, attributes) == 0 ? 0 : -errno;
}

static int open_file(const char *path, struct fuse_file_info *file) {
  (void)file;
  return is_disk(path) ? 0 : -ENOENT;
}

static int read_data(const char *path, struct fuse_bufvec **result, size_t size, off_t offset,
                     struct fuse_file_info *file) {
  (void)path;
  (void)file;
  struct fuse_bufvec *data = malloc(sizeof *data);
  if (data == NULL) return -ENOMEM;
  *data = FUSE_BUFVEC_INIT(size);
  data->buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
  data->buf[0].fd = image;
  data->buf[0].pos = offset;
  *result = data;
  return 0;
}

static int write_data(const char *path, struct fuse_bufvec *data, off_t offset, struct fuse_file_info *file) {
  (void)path;
  (void)file;
  struct fuse_bufvec target = FUSE_BUFVEC_INIT(fuse_buf_size(data));
  target.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
  target.buf[0].fd = image;
  target.buf[0].pos = offset;
  return (int)fuse_buf_copy(&target, data, FUSE_BUF_SPLICE_NONBLOCK);
}

static int flush_data(const char *path, int data_only, struct fuse_file_info *file) {
  (void)path;
  (void)data_only;
  (void)file;
  struct timespec time = {flush_microseconds / 1000000, flush_microseconds % 1000000 * 1000};
  while (nanosleep(&time, &time) != 0 && errno == EINTR) {
  }
  return 0;
}

static int allocate(const char *path, int mode, off_t offset, off_t length, struct fuse_file_info *file) {
  (void)path;
  (void)file;
  return fallocate(image, mode, offset, length) == 0 ? 0 : -errno;
}

static const struct fuse_operations operations = {
    .getattr = get_attributes,
    .open = open_file,
    .read_buf = read_data,
    .write_buf = write_data,
    .fsync = flush_data,
    .fallocate = allocate,
};

int main(int count, char **arguments) {
  if (count < 4) {
    fprintf(stderr, "usage: slow-disk IMAGE MICROSECONDS [FUSE OPTION...] MOUNTPOINT\n");
    return 2;
  }
  image = open(arguments[1], O_RDWR | O_CLOEXEC);
  if (image < 0) {
    perror(arguments[1]);
    return 1;
  }
  flush_microseconds = strtol(arguments[2], NULL, 10);
  arguments[2] = arguments[0];
  return fuse_main(count - 2, arguments + 2, &operations, NULL);
}
