/* Installed set-uid root: says whether no_new_privs kept that bit from working. */
#include <stdio.h>
#include <unistd.h>

int main(void) {
  printf("Effective uid: %d\n", (int)geteuid());
  return 0;
}
