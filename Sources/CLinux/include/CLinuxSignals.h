#ifndef CLINUX_SIGNALS_H
#define CLINUX_SIGNALS_H

/// Makes each signal write its number as one byte into a pipe, and returns the end to read from; -1 on failure.
/// A signalfd would lose signals that another thread of the process takes.
int lockflight_signal_pipe(const int *numbers, int count);

/// The columns of a terminal; 0 when the descriptor is none.
int lockflight_terminal_columns(int descriptor);
/// How many rows the terminal has; 0 where it is none.
int lockflight_terminal_rows(int descriptor);

#endif
