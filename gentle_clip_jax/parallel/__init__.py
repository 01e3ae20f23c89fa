"""Several devices and several processes that train as one."""
