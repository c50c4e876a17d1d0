/* The same in C, for comparison: cc -O2 -o running_sum running_sum.c */

#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv) {
    FILE *numbers = NULL, *sums = NULL;
    int flag;
    while ((flag = getopt(argc, argv, "i:o:")) != -1) {
        if (flag == 'i') numbers = fopen(optarg, "rb");
        if (flag == 'o') sums = fopen(optarg, "wb");
    }
    if (!numbers || !sums) return 2;
    int32_t number, total = 0;
    while (fread(&number, sizeof number, 1, numbers) == 1) {
        total += number;
        printf("+ %d = %d\n", number, total);
        fflush(stdout);
        fwrite(&total, sizeof total, 1, sums);
        fflush(sums); /* a sum leaves at once */
    }
    return 0;
}
