/* A library, and no plugin. */
int certcast_has_nothing_to_do_with_this(void);
int certcast_has_nothing_to_do_with_this(void) {
    return 1;
}
