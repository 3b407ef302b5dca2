#ifndef CLINUX_SIGNALS_H
#define CLINUX_SIGNALS_H

/// Makes each signal write its number as one byte into a pipe, and returns the end to read from; -1 on failure.
/// A signalfd would lose signals that are delivered to another thread of the process.
int lockflight_signal_pipe(const int *numbers, int count);

/// The number of columns of a terminal; 0 if the descriptor is not a terminal.
int lockflight_terminal_columns(int descriptor);
/// The number of rows of a terminal; 0 if the descriptor is not a terminal.
int lockflight_terminal_rows(int descriptor);

#endif
