/* For libc++'s own sources only: filesystem.h has what they want of it. */
