"""The bridge between the rounds of a job and the byte streams of its program.

| module     | what it does                                                                 |
|------------|------------------------------------------------------------------------------|
| `rounds`   | which block of the program belongs to which round                            |
| `cutters`  | cut what the program writes into blocks                                      |
| `ends`     | our ends of the program's pipes                                              |
| `interest` | which of them are polled                                      |
| `child`    | the process: how it is started, what it says, how it ended                   |
| `loop`     | moves bytes as long as there are any; takes the place of the loop around run |
"""
