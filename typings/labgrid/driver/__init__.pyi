from labgrid.driver.common import Driver as Driver
